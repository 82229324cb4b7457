"""Coarse to fine: a walk back at each of several sizes, each started from the enlarged result of the one before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.protocols import Degradation, State
from samplers.driver import Sampler, Step, sample
from samplers.guides import ilvr
from samplers.watched import part

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


class Scale(NamedTuple):
    """One size of the pyramid."""

    size: tuple[int, int]
    """Height and width, pixels."""
    restore: Restore
    """The restorer at this size."""
    times: Tensor
    """The walk back: falling severities, the first of which the enlarged coarser result is degraded to."""
    sampler: Sampler | None = None
    """Another sampler than the walk's, at this size."""
    whole: bool = False
    """Whether the restorer has to see all of the image at once."""


MOST_SCALES = 100


def sizes(height: int, width: int, coarsest: int = 24, factor: float = 0.75) -> list[tuple[int, int]]:
    """From coarse to fine, ending with (height, width): each `factor` times the next, its shorter side at least `coarsest`."""
    if not 0 < factor < 1 or coarsest < 1:
        raise ValueError(f"a pyramid needs a factor in (0, 1) and a coarsest side of at least 1, got {factor} and {coarsest}.")
    found = [(height, width)]
    scale = factor
    while min(height, width) * scale >= coarsest:
        if len(found) == MOST_SCALES:
            raise ValueError(f"a factor of {factor} makes more than {MOST_SCALES} scales: choose a smaller one, such as 0.75.")
        found.append((round(height * scale), round(width * scale)))
        scale *= factor
    return found[::-1]


def pyramid(
    sampler: Sampler,
    degradation: Degradation,
    start: State,
    scales: Sequence[Scale],
    *,
    blend: float = 0.0,
    generator: Random = None,
    on_step: Callable[[Step], None] | None = None,
) -> Tensor:
    """Walks back from `start`, of the first scale's size and severity times[0]; returns x at the last scale.

    From the second scale on, x starts at D(enlarged, times[0], fresh latent). `blend` in [0, 1] is the share of the coarser
    result's low frequencies that every estimate takes over (all steps but the last of a scale). Serves any restorer, trained
    ones too; with one network for all sizes, give it to every scale. Raises ValueError for a start of another size.
    """
    if start.x.shape[-2:] != scales[0].size:
        raise ValueError(f"the start has the size {tuple(start.x.shape[-2:])}, the first scale {tuple(scales[0].size)}.")
    cells = [math.prod(scale.size) * (len(scale.times) - 1) for scale in scales]
    ends = [end / sum(cells) for end in (0, *itertools.accumulate(cells))]

    def walked(scale: Scale, number: int, restore: Restore, begin: State) -> Tensor:
        rule = scale.sampler or sampler
        with part(ends[number], ends[number + 1]):  # a step takes as long as it has cells
            return sample(rule, restore, degradation, begin, scale.times, generator=generator, on_step=on_step)

    x = walked(scales[0], 0, scales[0].restore, start)
    for number, scale in enumerate(scales[1:], 1):
        factor = scale.size[0] / x.shape[-2]
        larger = enlarge(x, scale.size)
        restore = scale.restore
        if blend > 0:
            last = float(scale.times[-2])
            restore = ilvr(restore, larger, factor, blend, until=last)
        latent = degradation.draw(larger, generator)
        t = scale.times[:1].to(larger.device).expand(len(larger))
        begin = State(degradation(larger, t, latent), latent)
        x = walked(scale, number, restore, begin)
    return x


def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """x (B, C, H, W) at another size (bicubic; antialiased where it shrinks), within [-1, 1]."""
    smaller = size[0] < x.shape[-2] or size[1] < x.shape[-1]
    y = torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=smaller, align_corners=False)
    return y.clamp(-1, 1)
