"""The restorer of one scale of a photograph: which patches it is made of at which severity."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from degrade import Degradation
from restore.patches.posterior import PatchPosterior
from restore.patches.settings import PatchSettings
from restore.patches.sliced import SIDE, SlicedMatch

DETAIL = 0.12
"""Severity from which on the smaller patches are taken."""
FINE = 40
"""Shorter side from which on a scale has them, pixels."""
MATCHED = (0.05, 0.3)
"""Severities between which patches are brought to the photograph's distribution: what that leaves, the last steps clear up."""
DETAILED = 90
"""Shorter side from which on that leaves the mean colour of a patch alone, pixels."""


class ScaleRestorer:
    """R(x_t, t) -> x0_hat from the patches of `pieces`, parts of the photograph `small` (C, h, w), for images of `size`."""

    def __init__(
        self, small: Tensor, pieces: list[Tensor], degradation: Degradation, settings: PatchSettings, size: tuple[int, int]
    ) -> None:
        self.small, self.pieces, self.degradation, self.settings, self.size = small, pieces, degradation, settings, size

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        late = float(t.max()) <= DETAIL and min(self.size) >= FINE
        x0 = (self.detailed if late else self.whole)(x_t, t)
        matched = self.settings.directions and MATCHED[0] < float(t.min()) and float(t.max()) <= MATCHED[1]
        return self.match(x0) if matched and min(*x0.shape[2:], *self.small.shape[1:]) > SIDE else x0

    @cached_property
    def whole(self) -> PatchPosterior:
        return self._posterior(self.settings.side)

    @cached_property
    def detailed(self) -> PatchPosterior:
        return self._posterior(self.settings.detail)

    @cached_property
    def match(self) -> SlicedMatch:
        return SlicedMatch(self.small, self.settings.directions, min(self.size) >= DETAILED)

    def _posterior(self, side: int) -> PatchPosterior:
        known = sum(_count(x.shape[1:], side) for x in self.pieces)
        balanced = known * _count(torch.Size(self.size), side) <= self.settings.balanced**2
        return PatchPosterior(
            self.pieces,
            self.degradation,
            side,
            self.settings.width,
            1 if balanced else self.settings.stride,
            self.settings.neighbours,
            balanced=balanced,
            border=self.settings.border if len(self.pieces) == 1 else 0.0,
        )


def _count(size: torch.Size, side: int) -> int:
    return max(0, size[0] - side + 1) * max(0, size[1] - side + 1)
