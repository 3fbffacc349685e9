"""The small VGG of QSGD (Alistarh et al. 2016, section 4): nine convolutions, three linear layers, 28 x 28 crops.

The paper gives no widths, only the sizes of messages: 1.5, 1.3 and 1.2 million effective floats where the linear
layers alone are quantized in buckets of 256, 1024 and 4096, and 580, 312 and 176 thousand where all of about
22 million parameters are. So the linear layers hold about 21 million, the convolutions about 1.0 million: with VGG's
own 4096 units in the hidden linear layers and three halvings, to 3 x 3, that is two convolutions of 64 channels and
seven of 128 (0.998 million; 21.545 million in linear layers; 1.57, 1.30 and 1.17 million effective floats at the
paper's own ratios).

No batch normalisation and no dropout: the paper names neither. The centre of 28 x 28 is taken, and nothing is
shifted or mirrored, as for ResNet. `channels` and `hidden` make a narrower one for processors that the whole would
keep busy for days.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from testbed.workloads import data
from testbed.workloads.classification import Classification, initialise
from testbed.workloads.data.images import shaped
from testbed.workloads.vgg import convolutions
from testbed.workloads.workload import Recipe, WorkloadOptions, registry

_BLOCKS = ((1,) * 2, (2,) * 3, (2,) * 4)  # channels, over those of the first block
_SIDE = 28
_CLASSES = 10


class _Options(WorkloadOptions):
    channels: int = Field(default=64, ge=1)  # of the first block's convolutions
    hidden: int = Field(default=4096, ge=1)  # units of either hidden linear layer


@registry.register("vgg-qsgd")
class VggQsgd(Classification):
    """22,543,050 parameters; CIFAR-10 if the user has it, else Fashion-MNIST, both as 3 x 28 x 28."""

    name = "vgg-qsgd"
    # Momentum from the paper, which leaves the rate to a "full paper"; the rate is VGG's own
    recipe = Recipe(learning_rate=0.01, momentum=0.9, weight_decay=5e-4)
    Options = _Options
    options: _Options

    def build_model(self) -> nn.Module:
        """A new network."""
        blocks = [[self.options.channels * times for times in block] for block in _BLOCKS]
        features, hidden = blocks[-1][-1] * (_SIDE >> len(blocks)) ** 2, self.options.hidden
        linear = [
            nn.Flatten(),
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, _CLASSES),
        ]
        return initialise(nn.Sequential(*convolutions(blocks, normalised=False), *linear))

    def find_data(self) -> data.DataSource:
        """CIFAR-10, or its stand-in, as 28 x 28."""
        return shaped(super().find_data(), (3, _SIDE, _SIDE))
