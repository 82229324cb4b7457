"""What edits are made of: what is known and how it stays, what a hole is filled with, where a picture lies on a canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch
from samplers import enlarge, ilvr, known_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore

Guide = Callable[["Restore", tuple[int, int]], "Restore"]
"""What a restorer is wrapped in at a scale of (height, width)."""

FADE = 7.0
"""Pixels around what is known into which its difference to what was restored is carried on."""


def known_guide(known: Tensor, mask: Tensor) -> Guide:
    """`known` (C, H, W) stays as far as `mask` (1, H, W), in [0, 1], says; at coarse scales where all it covers does."""

    def guide(restore: Restore, size: tuple[int, int]) -> Restore:
        share = enlarge(mask[None], size)
        reach = FADE * size[0] / known.shape[1]
        if size == tuple(known.shape[1:]):
            return known_pixels(restore, known[None], mask[None], reach)
        whole = (share > 0.999).to(mask)
        mean = enlarge((known * mask)[None], size) / share.clamp(min=1e-3)
        return known_pixels(restore, mean * whole, whole, reach)

    return guide


def layout_guide(structure: Tensor) -> Guide:
    """The result takes the low frequencies of `structure` (C, h, w)."""
    return lambda restore, size: ilvr(restore, enlarge(structure[None], size), 3.0, until=0.3)


def softened(mask: Tensor, pixels: int) -> Tensor:
    """`mask` (1, H, W) of zeros and ones, its ones falling to 0 over the last `pixels` before its zeros."""
    if pixels < 0:
        raise ValueError(f"soft edges are at least 0 pixels wide, got {pixels}.")
    if pixels == 0:
        return mask
    half = (pixels + 1) // 2
    inner = -torch.nn.functional.max_pool2d(-mask[None], 2 * half + 1, 1, half)
    return torch.nn.functional.avg_pool2d(inner, 2 * half + 1, 1, half, count_include_pad=False)[0]


def widened(mask: Tensor, pixels: int) -> Tensor:
    """`mask` (1, H, W), its ones reaching `pixels` further."""
    return torch.nn.functional.max_pool2d(mask[None], 2 * pixels + 1, 1, pixels)[0]


def on_canvas(picture: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The picture in the middle of a canvas (C, H, W), and a mask (1, H, W) of where it is. ValueError if it is too large."""
    if size[0] < picture.shape[1] or size[1] < picture.shape[2]:
        raise ValueError(f"outpainting needs a size of at least the picture's {picture.shape[1]}x{picture.shape[2]}.")
    known, mask = torch.zeros(picture.shape[0], *size), torch.zeros(1, *size)
    top, left = ((outer - inner) // 2 for outer, inner in zip(size, picture.shape[1:], strict=True))
    window = (..., slice(top, top + picture.shape[1]), slice(left, left + picture.shape[2]))
    known[window], mask[window] = picture, 1
    return known, mask


def middle(picture: Tensor, share: float) -> Tensor:
    """The middle of a picture (C, H, W), `share` of its sides, in (0, 1]."""
    height, width = (max(1, round(share * side)) for side in picture.shape[-2:])
    top, left = (picture.shape[1] - height) // 2, (picture.shape[2] - width) // 2
    return picture[:, top : top + height, left : left + width]


def bounds(mask: Tensor) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the rectangle around what is not 0 in mask (1, H, W)."""
    rows, columns = mask[0].any(1).nonzero(), mask[0].any(0).nonzero()
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
