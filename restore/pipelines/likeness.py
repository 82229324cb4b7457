"""What a network that has learned one photograph keeps of it, so that samples have its colours and contrasts in its shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.protocols import Degradation, Prior, State
from degrade.severity import on_host

if TYPE_CHECKING:
    from degrade.protocols import Restore
    from degrade.random import Random
    from restore.patches.sliced import SlicedMatch

REDUCED = (4, 2, 1)
"""Factors that an estimate and the photograph are reduced by to be compared: first what is large."""
UNTIL = 0.1
"""Severity down to which samples are brought to the photograph: the last steps clear up what that leaves."""


@dataclass(frozen=True)
class Likeness:
    """The degradation's own prior; beside it the photograph is kept, and the patches of samples follow its distribution.

    Serves networks that learn from one image. A network trained for minutes drifts: dark woods turn pale, one matter spreads.
    """

    directions: int = 32
    """Random directions along which patches are compared, at each of three sizes."""

    def __post_init__(self) -> None:
        bounded(self, directions=(1, 4096))

    def fit(self, images: torch.Tensor, degradation: Degradation) -> LikenessPrior:
        """The prior for the first of `images` (N, C, H, W)."""
        return LikenessPrior(images[0].float().cpu().clone(), degradation.prior(images), self.directions)


@dataclass(frozen=True)
class LikenessPrior:
    """Draws of `own`; `guide` brings what a restorer makes of them to the photograph."""

    photograph: torch.Tensor  # (C, H, W)
    own: Prior
    directions: int = 32

    def __post_init__(self) -> None:
        x = self.photograph
        if x.ndim != 3 or not x.numel() or x.dtype != torch.float32 or not bool(x.isfinite().all()):
            raise ValueError(
                f"the photograph of LikenessPrior holds finite numbers (C, H, W) in float32, got {x.dtype} of {tuple(x.shape)}."
            )
        bounded(self, directions=(1, 4096))

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        if shape[1] != len(self.photograph):
            raise ValueError(f"the photograph has {len(self.photograph)} channels, {shape[1]} were asked for.")
        return self.own.sample(tuple(shape), generator)

    def guide(self, restore: Restore, size: tuple[int, int]) -> Restore:
        """R, whose estimate is moved towards the photograph's patches (restore/patches/sliced.py), mean colours included, when
        reduced by 4, by 2, and as it is: large shares of colour first, then detail. Sizes of less than a patch are left out."""
        levels = [(factor, matches) for factor, matches in self._matches.items() if min(size) // factor > matches.side]

        def guided(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            x0 = restore(x_t, t)
            if float(on_host(t).max()) < UNTIL:
                return x0
            for factor, match in levels:
                small = _reduced(x0, factor)
                moved = match(small) - small
                x0 = x0 + torch.nn.functional.interpolate(moved, x0.shape[-2:], mode="bicubic", align_corners=False)
            return x0

        return guided

    @cached_property
    def _matches(self) -> dict[int, SlicedMatch]:
        from restore.patches.sliced import SIDE, SlicedMatch

        return {
            factor: SlicedMatch(_reduced(self.photograph[None], factor)[0], self.directions, means=True)
            for factor in REDUCED
            if min(self.photograph.shape[1:]) // factor > SIDE
        }


def _reduced(x: torch.Tensor, factor: int) -> torch.Tensor:
    size = [side // factor for side in x.shape[-2:]]
    return torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False) if factor > 1 else x
