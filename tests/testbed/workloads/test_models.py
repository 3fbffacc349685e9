import numpy as np
import pytest
import torch

from testbed import workloads
from testbed.workloads.data import DataSource, Images, images
from testbed.workloads.resnet import build

CPU = torch.device("cpu")

# The papers' own figures: He et al. 2016, table 6 (0.27 M, 0.46 M, 1.7 M); Shi et al. 2019 (ICDCS), table III
# (14.7 M, 66.0 M, 27.6 M); Alistarh et al. 2016, section 4 ("roughly 22 million", 3.3 million).
SIZES = {
    "resnet20": (269_722, 0.27e6),
    "resnet32": (464_154, 0.46e6),
    "resnet110": (1_727_962, 1.7e6),
    "vgg16": (14_728_266, 14.7e6),
    "vgg-qsgd": (22_543_050, 22e6),
    "mlp-4096": (3_256_330, 3.3e6),
    "mlp-340": (270_310, 0.27e6),
    "lstm-ptb": (66_034_000, 66.0e6),
    "lstm-an4": (27_569_568, 27.6e6),
}


@pytest.mark.parametrize("name", SIZES)
def test_models_have_the_papers_sizes(name: str) -> None:
    parameters, published = SIZES[name]
    assert workloads.create(name).parameters == parameters
    assert parameters == pytest.approx(published, rel=0.03)


def test_every_workload_is_held_against_its_paper() -> None:
    assert set(workloads.names()) == set(SIZES)


def test_layers_of_the_small_vgg_are_those_of_the_paper() -> None:
    layers = workloads.create("vgg-qsgd").layers
    assert sum(len(layer.shape) == 4 for layer in layers) == 9
    assert sum(len(layer.shape) == 2 for layer in layers) == 3


def test_a_narrower_vgg16_has_channels_in_proportion() -> None:
    narrow = workloads.create("vgg16", options={"channels": 8})
    channels = [layer.shape[0] for layer in narrow.layers if len(layer.shape) == 4]
    assert channels == [8, 8, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64, 64]


def test_a_narrower_small_vgg_has_channels_in_proportion_and_the_hidden_units_that_were_asked_for() -> None:
    narrow = workloads.create("vgg-qsgd", options={"channels": 4, "hidden": 16})
    assert [layer.shape[0] for layer in narrow.layers if len(layer.shape) == 4] == [4, 4, *[8] * 7]
    assert [layer.shape for layer in narrow.layers if len(layer.shape) == 2] == [(16, 72), (16, 16), (10, 16)]


@pytest.mark.parametrize("depth", [2, 19, 21])
def test_a_resnet_has_6n_plus_2_layers(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth is {depth}, must be 6n"):
        build(depth)


@pytest.mark.parametrize("name", ["resnet32", "vgg16", "vgg-qsgd"])
def test_a_step_against_the_gradient_lowers_the_loss(name: str, tiny_images: DataSource) -> None:
    source = images.shaped(tiny_images, (3, 28, 28)) if name == "vgg-qsgd" else tiny_images
    workload = workloads.create(name, source=source)
    x, batch = workload.initial_parameters(), workload.dataset.batch(np.arange(8))
    gradient, loss = workload.gradient(x, batch)
    assert 0.5 < loss < 6  # about log(10) with random weights
    assert workload.gradient(x - 1e-2 / float(gradient.norm()) * gradient, batch)[1] < loss


def test_the_small_vgg_takes_crops(tiny_images: DataSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.workloads.data.find", lambda *_: tiny_images)
    assert workloads.create("vgg-qsgd").dataset.batch(np.arange(2))[0].shape == (2, 3, 28, 28)


def test_the_perceptron_learns() -> None:
    labels = np.arange(60) % 10
    pixels = np.random.default_rng(5).integers(0, 60, (60, 1, 28, 28), np.uint8)
    pixels[np.arange(60), 0, labels] += 150
    dataset = Images(name="tiny", images=pixels, labels=labels, mean=(0.13,), deviation=(0.3,), shape=(1, 28, 28))
    source = DataSource(name="tiny", digest="tiny", load=lambda: dataset, load_held_out=lambda: dataset)
    workload = workloads.create("mlp-4096", source=source)
    x = workload.initial_parameters()
    before = workload.evaluate(x, CPU)
    for _ in range(10):
        x -= workload.recipe.learning_rate * workload.gradient(x, dataset.batch(np.arange(60)))[0]
    after = workload.evaluate(x, CPU)
    assert after.metric > 0.9 > 0.5 > before.metric and after.loss < before.loss
    assert (after.samples, after.dataset) == (60, "tiny")
    assert workload.metric.name == "accuracy" and workload.metric.higher_is_better
