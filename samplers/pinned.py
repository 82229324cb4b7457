"""A walk that stays on a known one outside a mask: DiffEdit's decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.protocols import Degradation, State
from samplers.driver import OneStep

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


@dataclass(frozen=True, eq=False)
class Pinned:
    """`sampler`, whose x_s is a known y_s wherever the mask is 0: what is there comes out as it went in, and the rest is made
    beside it (Couairon et al. 2022, DiffEdit, arXiv 2210.11427, section 3.2).

        x_s <- M x_s + (1 - M) y_s

    y and x are of the same level s. Raises ValueError for a level that y does not have.
    """

    sampler: OneStep
    known: Mapping[float, Tensor]
    """y_s (B, C, *space) by its level s: what an inversion went through (`invert`, on_step)."""
    mask: Tensor
    """(1 or B, 1, *space) in [0, 1], 1 where x is free."""

    def __post_init__(self) -> None:
        if not isinstance(self.sampler, OneStep):
            raise ValueError(f"Pinned takes one-step samplers (DDIM, DDPM, Naive, Improved), got {self.sampler}.")

    def init(self, start: State) -> State:
        return self.sampler.init(start)

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        after = self.sampler.step(restore, degradation, state, t, s, generator)
        return after._replace(x=torch.lerp(self._at(float(s[0])), after.x, self.mask.to(after.x)))

    def _at(self, s: float) -> Tensor:
        level = min(self.known, key=lambda level: abs(level - s))
        if abs(level - s) > 1e-6:
            raise ValueError(f"nothing is known at severity {s:.4g}: invert along the times that are walked back.")
        return self.known[level]
