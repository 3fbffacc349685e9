"""VGG-16 in its form for 32 x 32 images: Shi et al. 2019, and Jiang and Agrawal 2018, figure 1c.

Thirteen convolutions with batch normalisation and one linear layer, as in the code that Shi et al. published; the two
wide linear layers of the ImageNet form are not in it. No dropout and no augmentation, as for ResNet. `channels` makes a
narrower one for processors that the whole would keep busy for days.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from testbed.workloads.classification import Classification, initialise
from testbed.workloads.normalisation import Normalised, NormalisedOptions
from testbed.workloads.vgg import convolutions
from testbed.workloads.workload import Recipe, registry

_BLOCKS = ((1,) * 2, (2,) * 2, (4,) * 3, (8,) * 3, (8,) * 3)  # channels, over those of the first block
_CLASSES = 10


class _Options(NormalisedOptions):
    channels: int = Field(default=64, ge=1)  # of the first block's convolutions


@registry.register("vgg16")
class Vgg16(Classification, Normalised):
    """14,728,266 parameters; CIFAR-10 if the user has it, else Fashion-MNIST padded to 3 x 32 x 32."""

    name = "vgg16"
    recipe = Recipe(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)  # Shi et al. 2019, table 1, and their code
    Options = _Options
    options: _Options

    def build_model(self) -> nn.Module:
        """A new VGG-16."""
        blocks = [[self.options.channels * times for times in block] for block in _BLOCKS]
        layers = convolutions(blocks, normalised=True)
        return initialise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(blocks[-1][-1], _CLASSES)))
