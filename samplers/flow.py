"""Rules for the probability-flow equation dx/dt = v(x, t), of degradations that are affine.

    v = alpha' x0_hat + sigma' z_hat,    x0_hat = R(x, t),    z_hat = (x - alpha x0_hat) / sigma

Along a straight path (RectifiedFlow) v = z_hat - x0_hat, and flow matching's samplers (Lipman et al. 2022, arXiv 2210.02747)
are these. Errors fall with the first power of the step's length for Euler, with the second for Heun and midpoint, which ask the
restorer twice a step. On arriving at s = 0, Euler's result is x0_hat, which is its step along a straight path; so it is for all
under others, where a step of finite length would leave noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from degrade.lazy import torch
from degrade.protocols import Affine, Degradation, State
from degrade.severity import middle, on_host, per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


class _Flow:
    """The state is the image and its latent, which is not read."""

    fixed_latent: ClassVar[bool] = False

    def init(self, start: State) -> State:
        return start


@dataclass(frozen=True)
class Euler(_Flow):
    """x_s = x_t + (s - t) v(x_t, t)."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        x0, v = velocity(restore, degradation, state.x, t)
        return State(_moved(state.x, t, s, v, x0), state.latent)


@dataclass(frozen=True)
class Heun(_Flow):
    """x_s = x_t + (s - t)/2 (v(x_t, t) + v(x', s)), x' Euler's x_s; Euler's on arriving at s = 0, where v is not
    defined (as in Karras et al. 2022, arXiv 2206.00364, Algorithm 1)."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        x0, first = velocity(restore, degradation, state.x, t)
        x = _moved(state.x, t, s, first, x0)
        if float(on_host(s).min()) > 0:
            _, second = velocity(restore, degradation, x, s)
            x = _moved(state.x, t, s, (first + second) / 2, x0)
        return State(x, state.latent)


@dataclass(frozen=True)
class Midpoint(_Flow):
    """x_s = x_t + (s - t) v(x', m), x' Euler's x at m = (t + s)/2; on arriving at s = 0 along a path that is not straight,
    x0_hat(x', m)."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        half = middle(t, s)
        x0, v = velocity(restore, degradation, state.x, t)
        x0, v = velocity(restore, degradation, _moved(state.x, t, half, v, x0), half)
        if _straight(degradation, t, half):
            x0 = state.x + per_sample(s - t, v) * v
        return State(_moved(state.x, t, s, v, x0), state.latent)


def velocity(restore: Restore, degradation: Degradation, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """x0_hat and v(x, t), for t > 0. ValueError for a degradation that is not affine."""
    if not isinstance(degradation, Affine):
        raise ValueError(
            f"Euler, Heun and Midpoint follow alpha and sigma, which {type(degradation).__name__} does not have. Use Improved."
        )
    x0 = restore(x, t)
    (alpha, sigma), (alpha_slope, sigma_slope) = degradation.coefficients(t), degradation.derivatives(t)
    ratio = sigma_slope / sigma
    return x0, per_sample(alpha_slope - alpha * ratio, x) * x0 + per_sample(ratio, x) * x


def _straight(degradation: Degradation, t: Tensor, s: Tensor) -> bool:
    """Whether alpha and sigma are as steep at t as at s."""
    if not isinstance(degradation, Affine):
        return False
    slopes = zip(degradation.derivatives(on_host(t)), degradation.derivatives(on_host(s)), strict=True)
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-8) for a, b in slopes)


def _moved(x: Tensor, t: Tensor, s: Tensor, v: Tensor, x0: Tensor) -> Tensor:
    """x_t + (s - t) v, and x0_hat where s is 0."""
    return torch.where(per_sample(s, x) > 0, x + per_sample(s - t, x) * v, x0)
