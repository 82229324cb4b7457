"""Images as overlapping patches, and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cut(x: Tensor, side: int, stride: int = 1) -> Tensor:
    """Patches of x (B, C, H, W) as rows (B, N, C side side), row by row of the image."""
    return F.unfold(x, side, stride=stride).mT


def join(patches: Tensor, shape: torch.Size, side: int, stride: int, weight: Tensor) -> Tensor:
    """The image (B, C, H, W) of `shape`: its overlapping patches (B, N, C side side), averaged with `weight` (side, side)."""
    channels, size = shape[1], (shape[2], shape[3])
    flat = weight.flatten()
    total = F.fold((patches * flat.repeat(channels)).mT, size, side, stride=stride)
    count = (size[0] - side) // stride + 1, (size[1] - side) // stride + 1
    share = F.fold(flat[:, None].expand(-1, count[0] * count[1])[None], size, side, stride=stride)
    return total / share


def bell(side: int, width: float, like: Tensor) -> Tensor:
    """Gaussian weights (side, side) of standard deviation `width` sides."""
    offset = (torch.arange(side, device=like.device, dtype=like.dtype) - (side - 1) / 2) / (width * side)
    return torch.exp(-(offset[:, None].square() + offset.square()) / 2)


def pad_to_grid(x: Tensor, side: int, stride: int) -> Tensor:
    """x with its last rows and columns repeated, until patches `stride` apart cover it: (H - side) % stride = 0."""
    height, width = x.shape[-2:]
    down, right = -(height - side) % stride, -(width - side) % stride
    return F.pad(x, (0, right, 0, down), mode="replicate")
