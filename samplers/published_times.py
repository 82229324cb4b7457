"""Time grids of published pipelines, as their schedulers' configurations name them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.protocols import Degradation
from samplers.times import uniform

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Spaced:
    """N of the levels k of a process of T steps, which lie at t = (k + 1)/T (Lin et al. 2023, arXiv 2305.08891, table 2).

    | spacing | levels, rising, i = 0, ..., N - 1 |
    | --- | --- |
    | leading | i floor(T/N) + offset |
    | trailing | round(T - (N - 1 - i) T/N) - 1 |
    | linspace | from 0 to T - 1 in equal steps, rounded |
    | even | the same, not rounded |

    A walk from t = 1 begins at the highest of them; one from a lower severity begins there, and goes on with N - 1 below it,
    spread over the levels that there are. Raises ValueError for levels that the process does not have.
    """

    spacing: Literal["leading", "trailing", "linspace", "even"] = "leading"
    """How the levels are spread."""
    steps: int = 1000
    """T, of the published process."""
    offset: int = 0
    """Added to leading levels."""
    beyond: int = 0
    """1: the levels are those of N + 1 without the lowest, as DPM-Solver's are; trailing ones are the same."""
    last: int = 0
    """Where the walk ends: 0 clean, 1 at the lowest level, t = 1/T, which some models were made to be left at."""

    def __post_init__(self) -> None:
        bounded(self, steps=(1, 1_000_000), offset=(0, 1000), beyond=(0, 1), last=(0, 1))

    def most(self, wanted: int) -> int:
        """Steps of a walk from t = 1, `wanted` or as many fewer as it takes for its levels to be those of the process; 0 where
        there is no such walk."""
        return next((count for count in range(min(wanted, self.steps), 0, -1) if self._highest(count) < self.steps), 0)

    def _highest(self, count: int) -> int:
        total = min(count + self.beyond, self.steps)
        return (total - 1) * (self.steps // total) + self.offset if self.spacing == "leading" else self.steps - 1

    def levels(self, count: int, among: int) -> Sequence[float]:
        """`count` of the lowest `among` levels, rising."""
        found: list[float]
        total = min(count + self.beyond, among) if self.spacing != "trailing" else count
        if self.spacing == "leading":
            found = [i * (among // total) + self.offset for i in range(total)]
        elif self.spacing == "trailing":
            found = [round(among - i * among / total) - 1 for i in reversed(range(total))]
        else:
            found = [i * (among - 1) / (total - 1) for i in range(total)] if total > 1 else [among - 1]
            found = found if self.spacing == "even" else [round(k) for k in found]
        return found[-count:]

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        begin, among = uniform(steps, start)[:1], math.ceil(start * self.steps)
        kept = self.levels(min(steps, among), among)
        if start == 1 and kept[-1] >= self.steps:
            raise ValueError(
                f"{steps} steps of a process of {self.steps} with an offset of {self.offset} ask for level {kept[-1]}, the "
                f"last is {self.steps - 1}: take fewer steps."
            )
        end = self.last / self.steps
        levels = [t for t in ((k + 1) / self.steps for k in reversed(kept[: len(kept) if start == 1 else -1])) if t > end]
        times = torch.tensor([*levels, end], dtype=torch.float64)
        return times if start == 1 else torch.cat([begin, times[times < start]])


@dataclass(frozen=True)
class Shifted:
    """t = f(u) = shift u/(1 + (shift - 1) u), u from 1 to f(1/T) in N equal levels, and then 0: more steps where there is
    much noise, for images of many pixels (Esser et al. 2024, arXiv 2403.03206, eq. 23). The last level is shifted twice, as it
    was published.
    """

    shift: float = 3.0
    """sqrt(m/n), m the pixels of an image and n those for which steps are even."""
    steps: int = 1000
    """T, of the published process."""

    def __post_init__(self) -> None:
        bounded(self, shift=(1e-3, 1000), steps=(1, 1_000_000))

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        ends = uniform(1, start)
        first = start / (self.shift - (self.shift - 1) * start)
        last = self.shift / (self.steps + self.shift - 1)
        u = torch.linspace(first, last if last < first else first / steps, steps, dtype=torch.float64)[1:]
        return torch.cat([ends[:1], self.shift * u / (1 + (self.shift - 1) * u), ends[1:]])
