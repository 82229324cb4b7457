"""The restorer of one scale of a photograph: which patches it is made of at which severity."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from degrade import Degradation
from degrade.severity import on_host
from restore.patches.octaves import factors, mended
from restore.patches.places import EDGES, WHOLE, Height, Places
from restore.patches.posterior import PatchPosterior
from restore.patches.settings import PatchSettings
from restore.patches.sliced import SIDE, SlicedMatch
from samplers import enlarge

DETAIL = 0.12
"""Severity from which on the smaller patches are taken."""
FINE = 40
"""Shorter side from which on a scale has them, pixels."""
MATCHED = (0.05, 0.3)
"""Severities between which patches are brought to the photograph's distribution: what that leaves, the last steps clear up."""
MENDED = (0.05, 0.15)
"""Severities between which what is coarse is mended: earlier, little is left to chance."""


class ScaleRestorer:
    """R(x_t, t) -> x0_hat from the patches of the photograph `small` (C, h, w), for images of `size`; with a `hole` (1, h, w),
    from those that touch no pixel where it is 1. `height`: where the photograph lies in an image that goes on around it.

    Where x_t has another size, as with margins that go round, its edges, and heights, are not those of an image.
    """

    def __init__(
        self,
        small: Tensor,
        degradation: Degradation,
        settings: PatchSettings,
        size: tuple[int, int],
        hole: Tensor | None = None,
        height: Height | None = None,
    ) -> None:
        self.small, self.degradation, self.settings, self.size, self.hole = small, degradation, settings, size, hole
        self.height = height
        self._posteriors: dict[tuple[int, bool], PatchPosterior] = {}

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        settings, size = self.settings, (x_t.shape[2], x_t.shape[3])
        known = on_host(t)
        low, high = float(known.min()), float(known.max())
        late = high <= DETAIL and min(self.size) >= FINE
        edges = size == self.size and self.hole is None
        x0 = self._posterior(settings.detail if late else settings.side, edges)(x_t, t)
        if MENDED[0] < low and high <= MENDED[1]:
            for factor, restore in self.coarser.items():
                x0 = mended(x0, factor, restore)
        matched = settings.directions and MATCHED[0] < low and high <= MATCHED[1]
        return self.match(x0) if matched and min(*size, *self.small.shape[1:]) > SIDE else x0

    @cached_property
    def match(self) -> SlicedMatch:
        return SlicedMatch(self.small, self.settings.directions)

    @cached_property
    def coarser(self) -> dict[int, ScaleRestorer]:
        """By what a picture is reduced, the restorer of what it is then."""
        settings = self.settings.reduced()
        height, width = self.small.shape[1:]
        found = {}
        for factor in factors(self.settings.octaves, (min(height, self.size[0]), min(width, self.size[1]))):
            shape = (round(height / factor), round(width / factor))
            small = enlarge(self.small[None], shape)[0]
            hole = None if self.hole is None else enlarge(self.hole[None].to(small), shape)[0] > 0
            size = (-(-self.size[0] // factor), -(-self.size[1] // factor))
            found[factor] = ScaleRestorer(small, self.degradation, settings, size, hole)
        return found

    def _posterior(self, side: int, edges: bool) -> PatchPosterior:
        if (side, edges) not in self._posteriors:
            settings = self.settings
            balanced = settings.balances((self.small.shape[1], self.small.shape[2]), self.size, side)
            self._posteriors[side, edges] = PatchPosterior(
                [self.small],
                self.degradation,
                side,
                settings.width,
                1 if balanced else settings.stride,
                settings.neighbours,
                balanced=balanced,
                places=self._places(balanced) if edges else (),
                holes=() if self.hole is None else [self.hole],
            )
        return self._posteriors[side, edges]

    def _places(self, balanced: bool) -> list[tuple[float, Places]]:
        """What counts beside colours: where a picture goes on, height; else edges where scales are balanced, and height there
        and at the coarsest, where the layout is decided."""
        settings = self.settings
        if self.height:
            return [(settings.border, self.height)]
        coarsest = settings.factor * min(*self.small.shape[1:], *self.size) < settings.coarsest
        edges = [(settings.border, EDGES)] if balanced else []
        return [*edges, (settings.upright, WHOLE)] if balanced or coarsest else []
