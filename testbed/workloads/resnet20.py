"""ResNet-20 for 32 x 32 images: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2.

Batch normalisation: every forward pass, in training and in evaluation, normalises with the statistics of
its own batch (`track_running_stats=False`). There are no running statistics, so nothing beside the
parameters has to be averaged, sent or checkpointed, and a worker's gradient is a function of its parameters
and its batch alone.

No augmentation: He et al. crop and flip at random; here an image is always the same, so that recorded
gradients depend on nothing but the seed. It changes no time and no byte.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from testbed.workloads import data
from testbed.workloads.workload import Recipe, Workload, registry

_STAGES = ((16, 1), (32, 2), (64, 2))  # channels, stride of the stage's first block
_BLOCKS_PER_STAGE = 3  # 6n + 2 layers with n = 3
_CLASSES = 10


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters (option A: pad channels with zeros)."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels_in, channels, stride)
        self.norm1 = nn.BatchNorm2d(channels, track_running_stats=False)
        self.conv2 = _convolution(channels, channels, 1)
        self.norm2 = nn.BatchNorm2d(channels, track_running_stats=False)
        self._stride = stride
        self._new_channels = channels - channels_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, channels_in, side, side] -> [batch, channels, side / stride, side / stride]."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return functional.relu(y + self._shortcut(x))

    def _shortcut(self, x: torch.Tensor) -> torch.Tensor:
        if self._new_channels == 0:
            return x
        subsampled = x[:, :, :: self._stride, :: self._stride]
        return functional.pad(subsampled, (0, 0, 0, 0, 0, self._new_channels))


def _convolution(channels_in: int, channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, kernel_size=3, stride=stride, padding=1, bias=False)


def _model() -> nn.Module:
    channels_in = _STAGES[0][0]
    parts: list[nn.Module] = [
        _convolution(3, channels_in, 1),
        nn.BatchNorm2d(channels_in, track_running_stats=False),
        nn.ReLU(),
    ]
    for channels, first_stride in _STAGES:
        for index in range(_BLOCKS_PER_STAGE):
            parts.append(_Block(channels_in, channels, first_stride if index == 0 else 1))
            channels_in = channels
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, _CLASSES))
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)  # He et al. 2015, which the 2016 paper follows
    return model


@registry.register("resnet20")
class ResNet20(Workload):
    """269,722 parameters; CIFAR-10 if the user has it, else Fashion-MNIST padded to 3 x 32 x 32."""

    name = "resnet20"
    # He et al. section 4.2 for batches of 128, and Shi et al. 2019, table 1; not scaled with the workers.
    recipe = Recipe(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)

    def build_model(self) -> nn.Module:
        """A new ResNet-20."""
        return _model()

    def find_data(self) -> data.DataSource:
        """CIFAR-10, or its stand-in."""
        return data.find(data.CIFAR10, data.FASHION_MNIST)

    def loss(self, model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy. Inputs are laid out channels last: on a CPU that is 1.6 times as fast."""
        outputs = model(inputs.contiguous(memory_format=torch.channels_last))
        return functional.cross_entropy(outputs, targets)
