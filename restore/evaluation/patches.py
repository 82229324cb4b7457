"""Patches of images as rows, and the exact nearest neighbour among many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from restore.patches.overlap import cut

if TYPE_CHECKING:
    from torch import Tensor

GROUP = 64
"""Keys whose best is taken first, on the way to the best of all: faster than one argmax."""
LARGEST_BLOCK = 2**25
"""Scores that are held at a time, at most: 128 MiB."""


def patches(x: Tensor, side: int, stride: int = 1) -> Tensor:
    """All patches of an image (C, H, W) in [-1, 1] as rows (N, C side side) in [0, 1], by rows of the image."""
    return cut((x[None].detach().float() + 1) / 2, side, stride)[0]


def octaves(x: Tensor, side: int, count: int = 3) -> list[Tensor]:
    """The image (C, H, W), and each time half the size, for as long as two patches of `side` pixels lie side by side."""
    sizes = [x]
    while len(sizes) < count:
        half = torch.nn.functional.interpolate(sizes[-1][None].float(), scale_factor=0.5, mode="bicubic", antialias=True)[0]
        if min(half.shape[-2:]) < 2 * side:
            break
        sizes.append(half)
    return sizes


def thinned(rows: Tensor, count: int) -> Tensor:
    """At most `count` of the rows (N, D), evenly spread."""
    return rows[torch.linspace(0, len(rows) - 1, min(len(rows), count)).long()]


class Keys:
    """Rows (K, D) to find the nearest of: exact, by brute force, in blocks of queries.

    The nearest key to q is argmax_k q . k - |k|^2 / 2: one product of (q, 1) and (k, -|k|^2 / 2). All are taken relative to the
    keys' mean, so that the square loses no digits.
    """

    def __init__(self, rows: Tensor):
        self.centre = rows.mean(0)
        keys = rows - self.centre
        self._matrix = rows.new_zeros(-(-len(rows) // GROUP) * GROUP, rows.shape[1] + 1)
        self._matrix[:, -1] = -torch.inf  # what fills up the last group is never the nearest
        self._matrix[: len(rows), :-1] = keys
        self._matrix[: len(rows), -1] = -keys.square().sum(1) / 2

    def nearest(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """For each query (Q, D): the root mean square distance to the nearest key, and its index; the first of equals."""
        count = len(self._matrix)
        block = max(16, min(512, LARGEST_BLOCK // count))
        scores = query.new_empty(block, count)
        distances, indices = [], []
        for part in query.split(block):
            part = torch.cat([part - self.centre, part.new_ones(len(part), 1)], 1)
            torch.mm(part, self._matrix.T, out=scores[: len(part)])
            index = _argmax(scores[: len(part)])
            distances.append((part - self._matrix[index])[:, :-1].square().mean(1).sqrt())
            indices.append(index)
        return torch.cat(distances), torch.cat(indices)


def _argmax(scores: Tensor) -> Tensor:
    """The index of the largest of each row, whose length is a multiple of GROUP."""
    groups = scores.view(len(scores), -1, GROUP)
    best = groups.amax(2).argmax(1)
    return best * GROUP + groups[torch.arange(len(scores), device=scores.device), best].argmax(1)
