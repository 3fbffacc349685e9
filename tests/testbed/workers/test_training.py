from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from testbed.cell import Cell, Network
from testbed.errors import LabError, UserError
from testbed.workers.training import create_training
from testbed.workloads import create
from testbed.workloads.data import DataSource, Images
from testbed.workloads.partition import Batches


def cell(gradients: str = "none", workload: str = "vector-1000") -> Cell:
    return Cell(
        lab="virtual",
        network=Network(topology="star", workers=4, bandwidth_bit_per_s=1e8, latency_s=1e-3, queue_bytes=1 << 20),
        algorithm="allreduce",
        codec="fp32",
        graph="ring",
        workload=workload,
        batch_size=32,
        device="instant",
        gradients=gradients,
    )


def test_a_vector_has_one_layer_zeros_and_one_step_an_epoch():
    training = create_training(cell(), None, rank=2)
    assert torch.equal(training.x, torch.zeros(1000))
    (layer,) = training.layers
    assert (layer.start, layer.stop, layer.shape) == (0, 1000, (1000,))
    assert training.samples == 4 * 32
    assert training.dataset == "none"


def test_its_gradient_is_constant_and_not_zero():
    training = create_training(cell(), None, rank=0)
    first, second = torch.empty(1000), torch.ones(1000)
    training.source.next(0, training.x, first)
    training.source.next(7, training.x + 1, second)
    assert torch.equal(first, second)
    assert first.min() == first.max() != 0


@pytest.mark.data
def test_a_workload_without_gradients_has_its_layers_and_its_epoch():
    try:
        first, other = (create_training(cell(workload="resnet20"), None, rank=rank) for rank in (0, 1))
    except UserError as error:
        pytest.skip(str(error))
    assert first.layers == other.layers == create("resnet20").layers
    assert first.x.shape == (269_722,)
    assert first.samples == create("resnet20").samples


def test_live_gradients_are_of_the_cells_own_options_and_partition(monkeypatch):
    images = Images(
        name="few",
        images=np.random.default_rng(1).integers(0, 256, (40, 3, 8, 8), np.uint8),
        labels=np.arange(40) % 10,
        mean=(0.5,) * 3,
        deviation=(0.25,) * 3,
        shape=(3, 8, 8),
    )
    source = DataSource(name="few", digest="", load=lambda: images, load_held_out=lambda: images)
    monkeypatch.setattr("testbed.workloads.classification.data.find", lambda *_: source)
    live = dataclasses.replace(
        cell("live", "resnet20"), workload_options={"samples": 20}, partition="sorted", batch_size=2
    )
    training = create_training(live, None, rank=3)
    assert training.samples == 20
    workload = create("resnet20", source=source, options={"samples": 20})
    batches = Batches(workload.dataset, workers=4, batch_size=2, seed=1, partition="sorted")
    assert set(batches.indices(3, 0) % 10) <= {7, 8, 9}
    expected, _ = workload.gradient(training.x, workload.dataset.batch(batches.indices(3, 0)))
    gradient = torch.empty_like(training.x)
    training.source.next(0, training.x, gradient)
    assert torch.equal(gradient, expected)


def test_a_replay_needs_a_recording():
    with pytest.raises(LabError, match="recorded none"):
        create_training(cell("recorded", "resnet20"), None, rank=0)
