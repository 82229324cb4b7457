"""RePaint's resampling: back and forth at every step, so that what is known and what is made come to agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.checks import bounded
from degrade.protocols import Degradation, Gaussian, State
from degrade.random import normal
from degrade.severity import on_host, per_sample
from degrade.transfer import like
from samplers.driver import OneStep

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


@dataclass(frozen=True)
class Resampled:
    """Each step of `sampler` is taken `times` times, with x_s degraded to t again in between (Lugmayr et al. 2022, arXiv
    2201.09865, Algorithm 1, jump length 1). Serves inpainting, under the guide `known_pixels`.

    Gaussian degradations: x_t is drawn from q(x_t | x_s), and its latent read off x_t and x0_hat anew. Others:
    x_t = x_s - D(x0_hat, s, z) + D(x0_hat, t, z).
    """

    sampler: OneStep
    times: int = 5

    def __post_init__(self) -> None:
        if not isinstance(self.sampler, OneStep):
            raise ValueError(f"Resampled takes one-step samplers (DDIM, DDPM, Naive, Improved), got {self.sampler}.")
        bounded(self, times=(1, 1000))

    def init(self, start: State) -> State:
        return self.sampler.init(start)

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        estimate: list[Tensor] = []

        def watched(x_t: Tensor, severity: Tensor) -> Tensor:
            estimate[:] = [restore(x_t, severity)]
            return estimate[0]

        for turn in range(self.times):
            after = self.sampler.step(watched, degradation, state, t, s, generator)
            if turn == self.times - 1 or not bool((on_host(s) > 0).any()):
                return after
            state = _again(degradation, after, estimate[0], s, t, generator)
        raise AssertionError("unreachable: times is at least 1")


def _again(degradation: Degradation, state: State, x0: Tensor, s: Tensor, t: Tensor, generator: Random) -> State:
    """x_t from x_s, for s < t."""
    if not isinstance(degradation, Gaussian):
        z = state.latent
        return State(state.x - degradation(x0, s, z) + degradation(x0, t, z), z)
    scale, std = degradation.transition(t, s)
    fresh = like(normal(state.x.shape, generator), state.x)
    x = per_sample(scale, state.x) * state.x + per_sample(std, state.x) * fresh
    return State(x, degradation.estimate(x, x0, t))  # samplers with a fixed latent go on with it
