import pytest
import torch
from torch import nn

from testbed.workloads.flat import FlatModel


def test_parameters_and_gradients_are_views_into_the_flat_vectors() -> None:
    flat = FlatModel(nn.Linear(3, 2))
    x, gradient = torch.arange(8.0), torch.zeros(8)
    flat.bind(x, gradient)
    inputs = torch.ones(1, 3)
    assert torch.equal(flat.module(inputs), torch.tensor([[0.0 + 1 + 2 + 6, 3.0 + 4 + 5 + 7]]))
    x.mul_(2)  # seen by the model without a copy
    assert torch.equal(flat.module(inputs), torch.tensor([[18.0, 38.0]]))
    flat.module(inputs).sum().backward()
    assert torch.equal(gradient, torch.ones(8))
    assert x.data_ptr() == next(flat.module.parameters()).data_ptr()


def test_layers_tile_the_vector_in_the_modules_order() -> None:
    layers = FlatModel(nn.Linear(3, 2)).layers
    assert [(layer.name, layer.start, layer.stop, layer.shape) for layer in layers] == [
        ("weight", 0, 6, (2, 3)),
        ("bias", 6, 8, (2,)),
    ]


@pytest.mark.parametrize("vector", [torch.zeros(7), torch.zeros(8, dtype=torch.float64), torch.zeros(16)[::2]])
def test_a_vector_of_another_kind_is_refused(vector: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="parameters must be contiguous"):
        FlatModel(nn.Linear(3, 2)).bind(vector, torch.zeros(8))


def test_a_model_with_buffers_is_refused() -> None:
    with pytest.raises(ValueError, match="running_mean"):
        FlatModel(nn.BatchNorm1d(2))
