"""The restorer of one scale of a photograph: which patches it is made of at which severity."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from degrade import Degradation
from degrade.severity import on_host
from restore.patches.posterior import PatchPosterior
from restore.patches.settings import PatchSettings
from restore.patches.sliced import SIDE, SlicedMatch

DETAIL = 0.12
"""Severity from which on the smaller patches are taken."""
FINE = 40
"""Shorter side from which on a scale has them, pixels."""
MATCHED = (0.05, 0.3)
"""Severities between which patches are brought to the photograph's distribution: what that leaves, the last steps clear up."""


class ScaleRestorer:
    """R(x_t, t) -> x0_hat from the patches of the photograph `small` (C, h, w), for images of `size`; with a `hole` (1, h, w),
    from those that touch no pixel where it is 1.

    Where x_t has another size, as with margins that go round, its edges are not those of an image.
    """

    def __init__(
        self,
        small: Tensor,
        degradation: Degradation,
        settings: PatchSettings,
        size: tuple[int, int],
        hole: Tensor | None = None,
    ) -> None:
        self.small, self.degradation, self.settings, self.size, self.hole = small, degradation, settings, size, hole
        self._posteriors: dict[tuple[int, float], PatchPosterior] = {}

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        settings, size = self.settings, (x_t.shape[2], x_t.shape[3])
        known = on_host(t)
        low, high = float(known.min()), float(known.max())
        late = high <= DETAIL and min(self.size) >= FINE
        edges = size == self.size and self.hole is None
        x0 = self._posterior(settings.detail if late else settings.side, settings.border if edges else 0.0)(x_t, t)
        matched = settings.directions and MATCHED[0] < low and high <= MATCHED[1]
        return self.match(x0) if matched and min(*size, *self.small.shape[1:]) > SIDE else x0

    @cached_property
    def match(self) -> SlicedMatch:
        return SlicedMatch(self.small, self.settings.directions)

    def _posterior(self, side: int, border: float) -> PatchPosterior:
        if (side, border) not in self._posteriors:
            settings = self.settings
            balanced = (
                _count((self.small.shape[1], self.small.shape[2]), side) * _count(self.size, side) <= settings.balanced**2
            )
            self._posteriors[side, border] = PatchPosterior(
                [self.small],
                self.degradation,
                side,
                settings.width,
                1 if balanced else settings.stride,
                settings.neighbours,
                balanced=balanced,
                border=border,
                holes=() if self.hole is None else [self.hole],
            )
        return self._posteriors[side, border]


def _count(size: tuple[int, int], side: int) -> int:
    return max(0, size[0] - side + 1) * max(0, size[1] - side + 1)
