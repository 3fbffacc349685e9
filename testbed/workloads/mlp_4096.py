"""The two-layer perceptron of QSGD (Alistarh et al. 2016, section 4) on MNIST: 4096 hidden units and ReLU."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from testbed.workloads import data
from testbed.workloads.classification import Classification, initialise
from testbed.workloads.workload import Recipe, WorkloadOptions, registry

_PIXELS = 28 * 28
_CLASSES = 10


class MlpOptions(WorkloadOptions):
    """How wide it is."""

    hidden: int = Field(default=4096, ge=1)  # units


@registry.register("mlp-4096")
class Mlp4096(Classification):
    """3,256,330 parameters; MNIST."""

    name = "mlp-4096"
    # The paper's, for batches of 256; it says of its CIFAR-10 models that all used momentum, of this one nothing
    recipe = Recipe(learning_rate=0.1, momentum=0.0, weight_decay=0.0)
    Options: ClassVar[type[WorkloadOptions]] = MlpOptions
    options: MlpOptions

    def build_model(self) -> nn.Module:
        """A new perceptron."""
        hidden = self.options.hidden
        return initialise(
            nn.Sequential(nn.Flatten(), nn.Linear(_PIXELS, hidden), nn.ReLU(), nn.Linear(hidden, _CLASSES))
        )

    def find_data(self) -> data.DataSource:
        """MNIST."""
        return data.find(data.MNIST)
