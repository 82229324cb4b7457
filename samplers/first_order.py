"""The samplers that look at one step only, and the one update that covers them.

    x_s = D(x0_hat, s, z_s) + carry (x_t - D(x0_hat, t, z_t)),    x0_hat = R(x_t, t)

| sampler | carry | latent |
| --- | --- | --- |
| Naive: Cold Diffusion Algorithm 1 | 0 | fixed: z_t = z_s = z |
| Improved: Cold Diffusion Algorithm 2 | 1 | fixed |
| DDIM, eta = 0 (Algorithm 2 with estimated noise) | 0 | estimated: z_t = z_s = D.estimate(x_t, x0_hat, t) |
| DDIM, eta > 0; DDPM | 0 | refreshed: part of the estimate is replaced by fresh noise |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.gaussian_noise import GaussianNoise
from degrade.lazy import torch
from degrade.protocols import Degradation, Estimable, State
from degrade.random import normal
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


class _FirstOrder:
    """The state is the image and its latent: a start."""

    def init(self, start: State) -> State:
        return start


@dataclass(frozen=True)
class Naive(_FirstOrder):
    """x_s = D(x0_hat, s, z) (Bansal et al. 2022, arXiv 2208.09392, Algorithm 1)."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        return State(degradation(restore(state.x, t), s, state.latent), state.latent)


@dataclass(frozen=True)
class Improved(_FirstOrder):
    """x_s = x_t - D(x0_hat, t, z) + D(x0_hat, s, z) (arXiv 2208.09392, Algorithm 2): errors of R cancel to first order."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        x0, z = restore(state.x, t), state.latent
        return State(state.x - degradation(x0, t, z) + degradation(x0, s, z), z)


@dataclass(frozen=True)
class DDIM(_FirstOrder):
    """x_s = D(x0_hat, s, z), z read off x_t and x0_hat (Song et al. 2020, arXiv 2010.02502, eq. 12).

    eta > 0 replaces part of the noise by fresh noise, with standard deviation eta sigma_s sqrt(var_ts) / sigma_t; eta = 1
    is DDPM's posterior. eta = 0 serves every degradation whose latent can be estimated, eta > 0 Gaussian noise.
    """

    eta: float = 0.0
    """Share of fresh noise, 0 (deterministic) to 1 (ancestral)."""

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta lies between 0 and 1, got {self.eta}.")

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        if self.eta > 0:
            noise = gaussian(degradation, "DDIM with eta > 0")
            x0 = restore(state.x, t)
            return _refreshed(noise, state.x, x0, t, s, self.eta * posterior_std(noise, t, s), self.eta, generator)
        if not isinstance(degradation, Estimable):
            raise ValueError(f"DDIM estimates the latent, which {type(degradation).__name__} does not allow. Use Improved.")
        x0 = restore(state.x, t)
        z = degradation.estimate(state.x, x0, t)
        return State(degradation(x0, s, z), z)


@dataclass(frozen=True)
class DDPM(_FirstOrder):
    """x_s drawn from N(posterior mean, variance) (Ho et al. 2020, arXiv 2006.11239, Algorithm 2), on any time grid.

    With alpha_ts = alpha_t / alpha_s and var_ts = sigma_t^2 - alpha_ts^2 sigma_s^2, the mean is
    (alpha_ts sigma_s^2 x_t + alpha_s var_ts x0_hat) / sigma_t^2, the small variance var_ts sigma_s^2 / sigma_t^2 (the
    posterior's own), the large one var_ts. No noise is added on arriving at s = 0.
    """

    variance: Literal["small", "large"] = "small"
    """The posterior's variance, or beta_t."""

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        noise = gaussian(degradation, "DDPM")
        std = posterior_std(noise, t, s) if self.variance == "small" else forward_std(noise, t, s)
        return _refreshed(noise, state.x, restore(state.x, t), t, s, torch.where(s > 0, std, 0), 1.0, generator)


def forward_std(noise: GaussianNoise, t: Tensor, s: Tensor) -> Tensor:
    """sqrt(var_ts) (B,): of the noise that takes x_s to x_t."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = noise.coefficients(t), noise.coefficients(s)
    return (sigma_t.square() - (alpha_t / alpha_s * sigma_s).square()).clamp(min=0).sqrt()


def posterior_std(noise: GaussianNoise, t: Tensor, s: Tensor) -> Tensor:
    """sigma_s sqrt(var_ts) / sigma_t (B,): of x_s given x_t and x0."""
    return noise.coefficients(s)[1] / noise.coefficients(t)[1] * forward_std(noise, t, s)


def gaussian(degradation: Degradation, name: str) -> GaussianNoise:
    """The degradation, which must be Gaussian noise for it to be replaced by fresh noise."""
    if not isinstance(degradation, GaussianNoise):
        raise ValueError(
            f"{name} adds fresh Gaussian noise; {type(degradation).__name__} has none. Use Improved, or DDIM with eta = 0."
        )
    return degradation


def _refreshed(
    noise: GaussianNoise, x: Tensor, x0: Tensor, t: Tensor, s: Tensor, std: Tensor, eta: float, generator: Random
) -> State:
    """x_s = alpha_s x0 + sqrt(sigma_s^2 - (eta posterior_std)^2) eps_hat + std fresh."""
    z = noise.estimate(x, x0, t)
    alpha, sigma = noise.coefficients(s)
    kept = (sigma.square() - (eta * posterior_std(noise, t, s)).square()).clamp(min=0).sqrt()
    fresh = normal(x.shape, generator).to(x)
    return State(per_sample(alpha, x) * x0 + per_sample(kept, x) * z.eps + per_sample(std, x) * fresh, z)
