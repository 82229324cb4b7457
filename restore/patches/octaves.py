"""What is coarse in a fine picture, mended there: its reduction is brought to the photograph's patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from restore.patches.overlap import pad_to_grid
from samplers import enlarge

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore

SEVERITY = 0.05
"""That a reduced picture is taken to have: little, so that the nearest patches count."""
SHORTEST = 24
"""Shorter side of a picture that was reduced, pixels, at least: there are few patches to choose from in smaller ones."""
REACH = 4
"""Pixels of what is reduced that the bicubic ways there and back look at, on each side."""


def factors(octaves: int, size: tuple[int, int]) -> list[int]:
    """By how much pictures of `size` are reduced, the most first: 2 to the power of at most `octaves`."""
    return [2**k for k in range(octaves, 0, -1) if min(size) >= 2**k * SHORTEST]


def reduced(x: Tensor, factor: int) -> Tensor:
    """x (B, C, H, W) of 1 / factor the size, rounded up; what a pixel comes from is the same in any window whose corner is a
    multiple of `factor`."""
    x = pad_to_grid(x, factor, factor)
    return enlarge(x, (x.shape[2] // factor, x.shape[3] // factor))


def mended(x0: Tensor, factor: int, restore: Restore) -> Tensor:
    """x0 + enlarged(R(alpha u, s) - u),  u = x0 reduced: the estimate, with the forms that `restore` of that size makes of it.

    Patches of a few pixels have the texture of the photograph, wherever each drifts to; in the reduced picture they are forms,
    which get soft. Texture synthesis goes from coarse to fine for that (Kwatra et al. 2005, "Texture optimization for
    example-based synthesis"), here what is coarse is looked at again in the fine scales. alpha = 1 - s, s = SEVERITY.
    """
    height, width = x0.shape[2:]
    small = reduced(x0, factor)
    severity = torch.full((1,), SEVERITY, dtype=torch.float64)
    change = restore((1 - SEVERITY) * small, severity) - small
    larger = torch.nn.functional.interpolate(change, scale_factor=factor, mode="bicubic", align_corners=False)
    return x0 + larger[..., :height, :width]
