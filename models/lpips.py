"""LPIPS, how different two images look: Zhang et al. 2018, arXiv 1801.03924, version 0.1. Weights: docs/evaluation.md.

Parameters have the names that torchvision gives to AlexNet's and VGG-16's convolutions, and the authors to their linear heads.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["alex", "vgg"]
TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
"""Layers whose outputs are compared: ReLUs."""
WIDTHS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
LEAST = {"alex": 31, "vgg": 16}
"""Pixels of a side, at least: less leaves nothing for the last layer."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation, for values in [-1, 1]."""


class LPIPS(nn.Module):
    """Two batches of images (B, 3, H, W) in [-1, 1] to their distances (B,): 0 for equal ones.

    d = sum_l mean_hw sum_c w_lc (f_l(x)_chw / |f_l(x)_hw| - f_l(y)_chw / |f_l(y)_hw|)^2        (eq. 1)
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.features = nn.Sequential(*(_alex() if kind == "alex" else _vgg()))
        for i, width in enumerate(WIDTHS[kind]):
            self.add_module(f"lin{i}", _Head(width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if min(x.shape[-2:]) < LEAST[self.kind]:
            raise ValueError(
                f"LPIPS with {self.kind} takes images of {LEAST[self.kind]} pixels or more, got {tuple(x.shape[-2:])}."
            )
        shift, scale = (torch.tensor(values, device=x.device)[:, None, None] for values in (SHIFT, SCALE))
        x, y, total = (x - shift) / scale, (y - shift) / scale, x.new_zeros(len(x))
        taps = iter(range(len(TAPS[self.kind])))
        for i, layer in enumerate(self.features):
            x, y = layer(x), layer(y)
            if i in TAPS[self.kind]:
                head = self.get_submodule(f"lin{next(taps)}")
                total = total + head((_unit(x) - _unit(y)).square()).mean((1, 2, 3))
        return total


class _Head(nn.Module):
    """One weight a channel. What was dropped out in training has the number 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(width, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def _unit(x: Tensor) -> Tensor:
    """x, of length 1 along its channels."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _alex() -> list[nn.Module]:
    """AlexNet (Krizhevsky 2014, arXiv 1404.5997), up to its last convolution."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for inputs, outputs in pairwise((192, 384, 256, 256)):
        layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
    return layers


def _vgg() -> list[nn.Module]:
    """VGG-16 (Simonyan & Zisserman 2014, arXiv 1409.1556), up to its last convolution."""
    layers: list[nn.Module] = []
    inputs = 3
    for width, count in zip(WIDTHS["vgg"], (2, 2, 3, 3, 3), strict=True):
        layers += [nn.MaxPool2d(2, 2)] if layers else []
        for _ in range(count):
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.ReLU()]
            inputs = width
    return layers
