"""The walk back from a degraded image to a clean one: one driver for every sampler, restorer and degradation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from degrade.lazy import torch
from degrade.protocols import Degradation, State
from degrade.severity import level
from samplers.watched import tell

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random

S = TypeVar("S")


@runtime_checkable
class Sampler(Protocol[S]):
    """A rule for one step of the walk. Its history is explicit state, so a step can be driven by hand."""

    def init(self, start: State) -> S:
        """The state at the first time; `state.x` is the image (B, C, *space)."""
        ...

    def step(self, restore: Restore, degradation: Degradation, state: S, t: Tensor, s: Tensor, generator: Random) -> S:
        """The state at severity s, given that at t > s; t and s are (B,) float64, of which `degrade.severity.on_host` gives the
        values without waiting for a GPU."""
        ...


@runtime_checkable
class OneStep(Sampler[State], Protocol):
    """A sampler without history: its state is the image and its latent, a `State`. So a step may be taken again, or apart."""

    fixed_latent: ClassVar[bool]
    """Whether a step needs the latent that the walk began with, and keeps it."""


class Step(NamedTuple):
    """What `on_step` is told after each step."""

    number: int  # from 1
    total: int
    t: float  # severity before
    s: float  # severity after
    x0: Tensor  # the restorer's last estimate in this step
    x: Tensor  # the image at s


def sample(
    sampler: Sampler,
    restore: Restore,
    degradation: Degradation,
    start: State,
    times: Tensor,
    *,
    generator: Random = None,
    on_step: Callable[[Step], None] | None = None,
) -> Tensor:
    """Walks from `start`, an image of severity times[0], along falling `times` (N + 1,); returns x at times[-1].

    `generator`: one for the batch, or one for each sample, so that a sample depends on its own seed only. Gradients are
    off; a restorer that needs them (guidance by a loss) turns them on for itself. Who watches (`samplers.watched`) is told
    after each step how far it is. Raises ValueError for times that do not fall within [0, 1].
    """
    grid = [float(t) for t in times]
    if len(grid) < 2 or not all(1 >= t > s >= 0 for t, s in itertools.pairwise(grid)):
        raise ValueError(
            f"times fall strictly from at most 1 to at least 0, in one step or more; got {grid[:3]}...{grid[-1:]}."
        )
    x0: list[Tensor] = []

    def watched(x_t: Tensor, t: Tensor) -> Tensor:
        x0[:] = [restore(x_t, t)]
        return x0[0]

    with torch.no_grad():
        state = sampler.init(start)
        levels = [level(t, len(start.x), start.x.device) for t in grid]
        for number, (t, s) in enumerate(itertools.pairwise(levels), 1):
            state = sampler.step(watched, degradation, state, t, s, generator)
            if on_step is not None:
                on_step(Step(number, len(grid) - 1, grid[number - 1], grid[number], x0[0], state.x))
            tell(number / (len(grid) - 1))
        return state.x
