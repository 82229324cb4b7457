"""The patches of an image brought to the distribution of another's: sliced optimal transport."""

from __future__ import annotations

import torch
from torch import Tensor

from degrade.random import Stream, seeded

SIDE = 7
AT_ONCE = 32
"""Directions that are matched together, orthogonal to each other."""
STEP = 0.5
MOST = 2**23
"""Projections in memory at a time."""


class SlicedMatch:
    """x -> x, whose patches follow those of `image` (C, H, W) along `directions` random directions, in turns.

    Along a direction w the n-th smallest projection w.patch of x moves to the n-th smallest of the image's, and every pixel by
    the mean of what its patches ask for (Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing";
    Elnekave and Weiss 2022, arXiv 2203.11862). What averages took away in contrast comes back, and no matter spreads.

    Without `means` only what differs within a patch is matched, not its mean colour: that is layout, and plain areas would turn
    blotchy where nothing clears up after it.
    """

    side = SIDE
    """Of the patches, pixels."""

    def __init__(self, image: Tensor, directions: int, means: bool = False) -> None:
        generator, size = seeded(0, Stream.FIT), image.shape[0] * SIDE**2
        self.groups = []
        for first in range(0, directions, AT_ONCE):
            draw = torch.randn(image.shape[0], SIDE**2, min(AT_ONCE, directions - first), generator=generator)
            if not means:
                draw -= draw.mean(1, keepdim=True)
            kernels = torch.linalg.qr(draw.reshape(size, -1))[0].T.reshape(-1, image.shape[0], SIDE, SIDE).to(image)
            self.groups.append((kernels, _projected(image[None], kernels).sort(2).values))

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([self._moved(image) for image in x.split(1)])

    def _moved(self, x: Tensor) -> Tensor:
        counts = torch.nn.functional.conv_transpose2d(
            x.new_ones(1, 1, x.shape[2] - SIDE + 1, x.shape[3] - SIDE + 1), x.new_ones(1, 1, SIDE, SIDE)
        )
        count = (x.shape[2] - SIDE + 1) * (x.shape[3] - SIDE + 1)
        at_once = max(1, MOST // count)
        if self.groups[0][0].device != x.device:  # once: there they stay
            self.groups = [(kernels.to(x), known.to(x)) for kernels, known in self.groups]
        for kernels, known in self.groups:
            place = torch.linspace(0, known.shape[2] - 1, count, device=x.device).round().long()
            asked = torch.zeros_like(x)
            for few, sorted_ in zip(kernels.to(x).split(at_once), known.to(x).split(at_once, 1), strict=True):
                found = _projected(x, few)
                moves = torch.empty_like(found).scatter_(2, found.argsort(2), sorted_[..., place]) - found
                moves = moves.unflatten(2, (x.shape[2] - SIDE + 1, x.shape[3] - SIDE + 1))
                asked += torch.nn.functional.conv_transpose2d(moves, few)
            share = STEP * kernels[0].numel() / len(kernels)
            x = x + share * asked / counts
        return x


def _projected(x: Tensor, kernels: Tensor) -> Tensor:
    """w.patch (B, directions, patches)."""
    return torch.nn.functional.conv2d(x, kernels).flatten(2)
