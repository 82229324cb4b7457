"""Where in a large picture the patches are found that a part of it is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 64
"""Side of the blocks that patches are taken from, pixels."""
CELL = 16
"""Blocks are compared by the mean colours of squares of so many pixels, and lie two of these apart."""
ALIKE = 2
"""Blocks that are taken for each one that is to be made: those that look most like what is known of it so far."""
NEAR = 6
"""Blocks that are taken for lying next to it."""
MOST = 12
"""Blocks in all: about 35 thousand patches of 11 x 11 pixels."""
UNKNOWN = 0.5
"""Share of a block that may be missing, where others have nothing missing."""


class Sources:
    """Places of blocks in a picture x (C, H, W) that is known where hole (1, H, W) is 0, and a guess where it is 1."""

    def __init__(self, x: Tensor, hole: Tensor) -> None:
        self.size = (x.shape[1], x.shape[2])
        if min(self.size) < BLOCK:
            return
        self.missing = _blocks(torch.nn.functional.avg_pool2d(hole[None], CELL)).mean(1)
        self.looks = _blocks(torch.nn.functional.avg_pool2d(x[None], CELL))
        columns = (x.shape[2] // CELL - BLOCK // CELL) // 2 + 1
        place = torch.arange(len(self.looks))
        self.corners = torch.stack([place // columns, place % columns], 1) * 2 * CELL
        self.usable = (self.missing <= max(UNKNOWN, float(self.missing.min()))).nonzero()[:, 0]

    def blocks(self, window: tuple[slice, slice]) -> list[tuple[slice, slice]]:
        """Those that are like what is missing in a window, or next to it; of a picture too small for blocks, all of it."""
        if min(self.size) < BLOCK:
            return [(slice(0, self.size[0]), slice(0, self.size[1]))]
        first = torch.tensor([part.start for part in window])
        last = torch.tensor([part.stop for part in window])
        touched = ((self.corners < last) & (self.corners + BLOCK > first)).all(1) & (self.missing > 0)
        usable = self.usable
        unlike = torch.cdist(self.looks[touched], self.looks[usable]) * (1 + self.missing[usable])
        alike = unlike.topk(min(ALIKE, len(usable)), largest=False).indices
        away = (self.corners[usable] + BLOCK / 2 - (first + last) / 2).abs() - (last - first) / 2
        near = (
            (away.clamp(min=0).square().sum(1) + 1e4 * self.missing[usable]).topk(min(NEAR, len(usable)), largest=False).indices
        )
        votes = torch.bincount(torch.cat([alike.flatten(), near]), minlength=len(usable))
        chosen = usable[votes.argsort(descending=True, stable=True)[: min(MOST, int((votes > 0).sum()))]]
        return [(slice(top, top + BLOCK), slice(left, left + BLOCK)) for top, left in self.corners[chosen].tolist()]


def _blocks(cells: Tensor) -> Tensor:
    """Blocks of cells (1, C, h, w), every second one along each axis (N, C BLOCK/CELL BLOCK/CELL)."""
    return torch.nn.functional.unfold(cells, BLOCK // CELL, stride=2)[0].mT
