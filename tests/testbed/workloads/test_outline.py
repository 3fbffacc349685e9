from __future__ import annotations

import subprocess
import sys

import pytest

from testbed.errors import UserError
from testbed.workloads import create
from testbed.workloads.outline import outline


@pytest.mark.parametrize("workload", ["resnet20", "mlp-4096", "lstm-an4"])
def test_an_outline_is_the_models_layers(workload):
    assert outline(workload) == create(workload).layers


def test_a_vector_has_one_layer():
    (layer,) = outline("vector-1000")
    assert (layer.start, layer.stop, layer.shape) == (0, 1000, (1000,))


@pytest.mark.parametrize("workload", ["vector-", "vector-0", "vector--3", "vector-1e3", "vector-²"])
def test_a_vector_has_a_number_of_values(workload):
    with pytest.raises(UserError, match="must be vector-<values>"):
        outline(workload)


def test_what_is_neither_is_refused():
    with pytest.raises(UserError, match="workload is 'resnet21', must be one of"):
        outline("resnet21")


def test_an_outline_does_without_what_only_values_would_need():
    program = (
        "import sys; from testbed.workloads.outline import outline; outline('mlp-4096'); "
        "outline('vgg16'); outline('lstm-ptb'); assert 'torch._dynamo' not in sys.modules, 'torch._dynamo'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
