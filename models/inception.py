"""FID's Inception-v3: images to the 2048 features that published Frechet distances are taken in. Weights: docs/evaluation.md.

Szegedy et al. 2015, arXiv 1512.00567, as TensorFlow's inception-2015-12-05 has it (Heusel et al. 2017, arXiv 1706.08500), which
differs from torchvision's: average pools do not count padding, the last block has a max pool, and there are 1008 classes.
Parameters have the names that torchvision, pytorch-fid and torch-fidelity give them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InceptionV3(nn.Sequential):
    """Images (B, 3, H, W) in [-1, 1] to features (B, 2048), for any size. For inference: its batch norms are constants.

    Images are rounded to 8 bits, as files are, brought to 299 x 299 as TensorFlow 1 did it, and scaled to (value - 128)/128.
    """

    def __init__(self) -> None:
        super().__init__(OrderedDict(_layers()))

    def forward(self, x: Tensor) -> Tensor:
        x = (resized(((x + 1) * 127.5).round().clamp(0, 255)) - 128) / 128
        for name, layer in self.named_children():
            if name != "fc":  # no part of the features; but its 1008 classes tell FID's weights from other ones
                x = layer(x)
        return x.mean((2, 3))


def resized(x: Tensor, side: int = 299) -> Tensor:
    """x (B, C, H, W) at side x side: bilinear, without antialiasing, pixel i at i H/side (not at the middle of its area)."""
    for dim in (-2, -1):
        length = x.shape[dim]
        place = torch.arange(side, device=x.device) * (length / side)
        below = place.long()
        part = place - below if dim == -1 else (place - below)[:, None]
        x = torch.lerp(x.index_select(dim, below), x.index_select(dim, (below + 1).clamp(max=length - 1)), part)
    return x


class Kernel(NamedTuple):
    channels: int
    height: int
    width: int
    stride: int = 1


Chain = list[Kernel | tuple[Kernel, Kernel]]
"""Convolutions one after the other; at the end two may take the same input."""


class Block(nn.Module):
    """Branches by name, side by side, their outputs stacked; "branch_pool" is one over `pool`.

    Convolutions of a longer branch are numbered, branch5x5_1, branch5x5_2, ..., and two on the same input branch3x3_2a and b.
    """

    def __init__(self, inputs: int, pool: nn.Module, branches: dict[str, Chain]) -> None:
        super().__init__()
        self.pool = pool
        self.branches: dict[str, list[list[str]]] = {}
        for branch, chain in branches.items():
            self.branches[branch], channels = [], inputs
            for i, kernels in enumerate(chain, 1):
                name = f"{branch}_{i}" if len(chain) > 1 else branch
                layers = {name: kernels} if isinstance(kernels, Kernel) else {name + "a": kernels[0], name + "b": kernels[1]}
                for each, kernel in layers.items():
                    self.add_module(each, Convolution(channels, kernel, padded=kernel.stride == 1))
                self.branches[branch].append(list(layers))
                channels = next(iter(layers.values())).channels

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch, chain in self.branches.items():
            y = [self.pool(x) if branch == "branch_pool" else x]
            for names in chain:
                y = [self.get_submodule(name)(y[0]) for name in names]
            outputs += y
        return torch.cat(outputs, 1)


class Convolution(nn.Module):
    """Convolution without a bias, batch norm, ReLU; padded to keep the size, or not at all."""

    def __init__(self, inputs: int, kernel: Kernel, padded: bool = False) -> None:
        super().__init__()
        channels, height, width, stride = kernel
        padding = (height // 2, width // 2) if padded else 0
        self.conv = nn.Conv2d(inputs, channels, (height, width), stride, padding, bias=False)
        self.bn = Norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Norm(nn.Module):
    """(x - mean)/sqrt(variance + .001) weight + bias: the batch norm of a network that was trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-3)  # type: ignore[arg-type]


def _layers() -> Iterator[tuple[str, nn.Module]]:
    yield "Conv2d_1a_3x3", Convolution(3, Kernel(32, 3, 3, 2))
    yield "Conv2d_2a_3x3", Convolution(32, Kernel(32, 3, 3))
    yield "Conv2d_2b_3x3", Convolution(32, Kernel(64, 3, 3), padded=True)
    yield "maxpool1", nn.MaxPool2d(3, 2)
    yield "Conv2d_3b_1x1", Convolution(64, Kernel(80, 1, 1))
    yield "Conv2d_4a_3x3", Convolution(80, Kernel(192, 3, 3))
    yield "maxpool2", nn.MaxPool2d(3, 2)
    for name, inputs, pooled in (("Mixed_5b", 192, 32), ("Mixed_5c", 256, 64), ("Mixed_5d", 288, 64)):
        yield name, Block(inputs, _average(), _squares(pooled))
    yield "Mixed_6a", Block(288, nn.MaxPool2d(3, 2), _first_reduction())
    for name, width in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        yield name, Block(768, _average(), _lines(width))
    yield "Mixed_7a", Block(768, nn.MaxPool2d(3, 2), _second_reduction())
    yield "Mixed_7b", Block(1280, _average(), _crosses())
    yield "Mixed_7c", Block(2048, nn.MaxPool2d(3, 1, 1), _crosses())
    yield "fc", nn.Linear(2048, 1008)


def _average() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _squares(pooled: int) -> dict[str, Chain]:
    """35 x 35 (arXiv 1512.00567, figure 5)."""
    return {
        "branch1x1": [Kernel(64, 1, 1)],
        "branch5x5": [Kernel(48, 1, 1), Kernel(64, 5, 5)],
        "branch3x3dbl": [Kernel(64, 1, 1), Kernel(96, 3, 3), Kernel(96, 3, 3)],
        "branch_pool": [Kernel(pooled, 1, 1)],
    }


def _first_reduction() -> dict[str, Chain]:
    """From 35 x 35 to 17 x 17 (figure 10)."""
    return {
        "branch3x3": [Kernel(384, 3, 3, 2)],
        "branch3x3dbl": [Kernel(64, 1, 1), Kernel(96, 3, 3), Kernel(96, 3, 3, 2)],
        "branch_pool": [],
    }


def _lines(width: int) -> dict[str, Chain]:
    """17 x 17 (figure 6)."""
    across, down = Kernel(width, 1, 7), Kernel(width, 7, 1)
    return {
        "branch1x1": [Kernel(192, 1, 1)],
        "branch7x7": [Kernel(width, 1, 1), across, Kernel(192, 7, 1)],
        "branch7x7dbl": [Kernel(width, 1, 1), down, across, down, Kernel(192, 1, 7)],
        "branch_pool": [Kernel(192, 1, 1)],
    }


def _second_reduction() -> dict[str, Chain]:
    """From 17 x 17 to 8 x 8 (figure 10)."""
    return {
        "branch3x3": [Kernel(192, 1, 1), Kernel(320, 3, 3, 2)],
        "branch7x7x3": [Kernel(192, 1, 1), Kernel(192, 1, 7), Kernel(192, 7, 1), Kernel(192, 3, 3, 2)],
        "branch_pool": [],
    }


def _crosses() -> dict[str, Chain]:
    """8 x 8 (figure 7)."""
    cross = (Kernel(384, 1, 3), Kernel(384, 3, 1))
    return {
        "branch1x1": [Kernel(320, 1, 1)],
        "branch3x3": [Kernel(384, 1, 1), cross],
        "branch3x3dbl": [Kernel(448, 1, 1), Kernel(384, 3, 3), cross],
        "branch_pool": [Kernel(192, 1, 1)],
    }
