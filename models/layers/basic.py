"""What several networks are built from."""

from __future__ import annotations

from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

L = TypeVar("L", nn.Conv1d, nn.Conv2d, nn.Linear)


class PixelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel: nothing crosses from one pixel to another."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def zero(layer: L) -> L:
    """The layer with weights set to zero: a residual block starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """x (B, C, H, W) with zeros at the bottom and right, so that H and W are multiples of `multiple`."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple))
