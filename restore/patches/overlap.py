"""Images as overlapping patches, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def check_window(side: int, width: float, stride: int) -> None:
    """Raises ValueError unless patches of `side`, `stride` apart, cover all pixels, with weights of a sensible `width`."""
    if not 1 <= side <= 64:
        raise ValueError(f"side lies in [1, 64], got {side}.")
    if not 1 <= stride <= side:
        raise ValueError(f"stride lies in [1, side = {side}], got {stride}: pixels between patches would be left out.")
    if not 0.01 <= width <= 10:
        raise ValueError(f"width lies in [0.01, 10], got {width}.")


def cut(x: Tensor, side: int, stride: int = 1) -> Tensor:
    """Patches of x (B, C, H, W) as rows (B, N, C side side), row by row of the image."""
    return torch.nn.functional.unfold(x, side, stride=stride).mT


def join(patches: Tensor, shape: torch.Size, side: int, stride: int, width: float) -> Tensor:
    """The image (B, C, H, W) of `shape`: its overlapping patches (B, N, C side side), averaged with Gaussian weights."""
    rows, columns = (shares(length, side, stride, width, patches) for length in shape[2:])
    weight = (rows[:, None, :, None] * columns[:, None, :]).reshape(-1, 1, side * side)
    weighted = (patches.unflatten(2, (shape[1], side * side)) * weight).flatten(2)
    return torch.nn.functional.fold(weighted.mT, (shape[2], shape[3]), side, stride=stride)


def shares(length: int, side: int, stride: int, width: float, like: Tensor) -> Tensor:
    """How much each of n patches along `length` pixels counts at each of its own (n, side); at every pixel the sum is 1.

    softmax_i(-d_i^2 / (2 (width side)^2)) over the patches that cover it, d_i from their centres: not a quotient of weights, as
    a corner is far from the centre of its only patch.
    """
    start = torch.arange(0, length - side + 1, stride, device=like.device)[:, None]
    pixel = start + torch.arange(side, device=like.device)
    distance = (pixel - start - (side - 1) / 2) / (width * side)
    covered = like.new_full((len(start), length), -torch.inf).scatter_(1, pixel, -distance.square().to(like) / 2)
    return covered.softmax(0).gather(1, pixel)


def pad_to_grid(x: Tensor, side: int, stride: int) -> Tensor:
    """x with its last rows and columns repeated, until patches `stride` apart cover it: (H - side) % stride = 0."""
    height, width = x.shape[-2:]
    down, right = -(height - side) % stride, -(width - side) % stride
    return torch.nn.functional.pad(x, (0, right, 0, down), mode="replicate")
