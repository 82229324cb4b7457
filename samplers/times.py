"""Time grids: the severities that a walk back passes through, falling, float64."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.schedules import Schedule

if TYPE_CHECKING:
    from torch import Tensor


def uniform(steps: int, start: float = 1.0) -> Tensor:
    """start, ..., 0 in `steps` equal steps: (steps + 1,)."""
    _check(steps, start)
    return torch.linspace(start, 0, steps + 1, dtype=torch.float64)


def logsnr_uniform(schedule: Schedule, steps: int, start: float = 1.0, end: float = 1e-3) -> Tensor:
    """From `start` to `end` in steps of equal log-SNR, and then to 0 (arXiv 2206.00927, section 4.3): (steps + 1,)."""
    _check(steps, start)
    if not 0 < end < start:
        raise ValueError(f"end lies between 0 and start={start}, got {end}.")
    if steps == 1:
        return uniform(1, start)
    high, low = schedule.logsnr(torch.tensor([start, end], dtype=torch.float64)).tolist()
    if high == float("-inf"):
        raise ValueError(f"{schedule} has no signal at t = {start}: its log-SNR is infinite there. Start below 1.")
    inner = schedule.time(torch.linspace(high, low, steps, dtype=torch.float64))
    inner[0] = start
    return torch.cat([inner, torch.zeros(1, dtype=torch.float64)])


def of_steps(kept: Sequence[int], steps: int) -> Tensor:
    """The grid through the 0-based steps `kept` (rising) of a process of `steps`: t = (k + 1)/steps, then 0."""
    if not len(kept) or any(b <= a for a, b in itertools.pairwise(kept)) or kept[0] < 0 or kept[-1] >= steps:
        raise ValueError(f"kept steps rise within 0..{steps - 1}, got {list(kept)[:5]}.")
    return torch.tensor([(k + 1) / steps for k in reversed(kept)] + [0.0], dtype=torch.float64)


def respaced(steps: int, sections: str) -> list[int]:
    """The steps that OpenAI's guided diffusion keeps of a process of `steps` (improved diffusion, arXiv 2102.09672).

    "ddimN": 0, d, 2d, ... with the smallest whole d that gives exactly N. "a,b,c": equal sections of the process (the
    first ones a step longer where it does not divide), with a, b, c steps spread evenly, ends included, over each.
    """
    if sections.startswith("ddim"):
        count = int(sections[4:])
        for stride in range(1, steps + 1):
            if len(range(0, steps, stride)) == count:
                return list(range(0, steps, stride))
        raise ValueError(f"no whole stride takes {count} of {steps} steps.")
    counts = [int(part) for part in sections.split(",")]
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


def _check(steps: int, start: float) -> None:
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"a walk takes at least one step and starts in (0, 1], got steps={steps}, start={start}.")
