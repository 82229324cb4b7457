"""Time grids: the severities that a walk back passes through, falling, float64."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.protocols import Degradation, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class TimeGrid(Protocol):
    """Where a walk back stops: a setting of sampling."""

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        """Falling severities from `start` in (0, 1] to 0, (N + 1,); N is `steps` where the grid does not fix it.

        Raises ValueError for steps, a start or a degradation that it does not serve.
        """
        ...


def uniform(steps: int, start: float = 1.0) -> Tensor:
    """start, ..., 0 in `steps` equal steps: (steps + 1,)."""
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"a walk takes at least one step and starts in (0, 1], got steps={steps}, start={start}.")
    return torch.linspace(start, 0, steps + 1, dtype=torch.float64)


@dataclass(frozen=True)
class Uniform:
    """Equal steps in t: `uniform`."""

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        return uniform(steps, start)


@dataclass(frozen=True)
class LogSNRUniform:
    """From the start to `end` in steps of equal log-SNR, and then to 0 (Lu et al. 2022, arXiv 2206.00927, section 4.3)."""

    end: float = 1e-3
    """The last severity before 0."""

    def __post_init__(self) -> None:
        bounded(self, end=(1e-9, 1))

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        if not isinstance(degradation, Scheduled):
            raise ValueError(f"{type(degradation).__name__} has no schedule, and so no log-SNR to step in: use Uniform().")
        schedule, ends = degradation.schedule, uniform(1, start)
        if steps == 1:
            return ends
        if not self.end < start:
            raise ValueError(f"end of LogSNRUniform lies between 0 and the start, {start}; got {self.end}.")
        high, low = schedule.logsnr(torch.tensor([start, self.end], dtype=torch.float64)).tolist()
        if high == -math.inf:
            raise ValueError(f"{schedule} has no signal at t = {start}: its log-SNR is infinite there. Start below 1.")
        inner = schedule.time(torch.linspace(high, low, steps, dtype=torch.float64))
        return torch.cat([ends[:1], inner[1:], ends[1:]])


@dataclass(frozen=True)
class Respaced:
    """Some of the levels k of a process of `steps`, which lie at t = (k + 1)/steps (improved diffusion, arXiv 2102.09672).

    | sections | levels |
    | --- | --- |
    | "" | as many as are asked for (or there are), evenly spread up to the start |
    | "a,b,c" | equal sections of the process, the first ones longer by 1, with a, b, c levels evenly spread over each |
    | "ddimN" | 0, d, 2d, ... with the smallest whole d that gives exactly N |

    Sections fix the levels, as in OpenAI's guided diffusion: a walk from t = 1 begins at the highest of them, one from a lower
    severity begins there and goes on with those below.
    """

    steps: int = 1000
    """Of the published process."""
    sections: str = ""
    """Which of its levels."""

    def __post_init__(self) -> None:
        bounded(self, steps=(1, 1_000_000))
        _ = self.kept

    @property
    def kept(self) -> Sequence[int]:
        """The 0-based levels, rising, that the sections name; all of them without sections."""
        if not self.sections:
            return range(self.steps)
        if re.fullmatch(r"ddim\d{1,9}", self.sections):
            return _strided(self.steps, int(self.sections[4:]))
        if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", self.sections):
            raise ValueError(f"sections of Respaced are 'ddimN', counts 'a,b,c' or '', got {self.sections[:40]!r}.")
        return _spread(self.steps, [int(count) for count in self.sections.split(",")])

    def times(self, steps: int, start: float, degradation: Degradation) -> Tensor:
        begin = uniform(steps, start)[:1]
        levels = math.ceil(start * self.steps)
        kept = self.kept if self.sections else _spread(levels, [min(steps, levels)])[:-1]  # the last of which is the start
        times = torch.tensor([(k + 1) / self.steps for k in reversed(kept)] + [0.0], dtype=torch.float64)
        if self.sections and start == 1:
            return times
        return torch.cat([begin, times[times < start]])


def _strided(steps: int, count: int) -> list[int]:
    for stride in range(1, steps + 1):
        if len(range(0, steps, stride)) == count:
            return list(range(0, steps, stride))
    raise ValueError(f"no whole stride takes {count} of {steps} steps.")


def _spread(steps: int, counts: Sequence[int]) -> list[int]:
    """Levels evenly spread, ends included, over each of len(counts) sections; the first of a section where it gives one."""
    size, longer = divmod(steps, len(counts))
    kept: list[int] = []
    first = 0
    for i, count in enumerate(counts):
        length = size + (i < longer)
        if not 1 <= count <= length:
            raise ValueError(f"a section of {length} steps cannot give {count}.")
        spacing = (length - 1) / (count - 1) if count > 1 else 1.0
        place = 0.0
        for _ in range(count):
            kept.append(first + round(place))
            place += spacing
        first += length
    return kept
