"""A two-layer perceptron as large as ResNet-20, which takes its place where many steps count more than its layers."""

from __future__ import annotations

from testbed.workloads.mlp_4096 import Mlp4096, MlpOptions
from testbed.workloads.workload import registry


class _Options(MlpOptions):
    hidden: int = 340  # units; 270,310 parameters to ResNet-20's 269,722


@registry.register("mlp-340")
class Mlp340(Mlp4096):
    """270,310 parameters; MNIST. Messages are as long as ResNet-20's, a step takes a hundredth of its arithmetic."""

    name = "mlp-340"
    Options = _Options
