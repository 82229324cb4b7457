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
from typing import TYPE_CHECKING, ClassVar, Literal

from degrade.lazy import torch
from degrade.protocols import Degradation, Estimable, Gaussian, Markov, State
from degrade.random import normal
from degrade.severity import per_sample
from degrade.transfer import like

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


class _FirstOrder:
    """The state is the image and its latent: a start. (A latent that is not fixed is carried along, and not read.)"""

    fixed_latent: ClassVar[bool] = False

    def init(self, start: State) -> State:
        return start


@dataclass(frozen=True)
class Naive(_FirstOrder):
    """x_s = D(x0_hat, s, z) (Bansal et al. 2022, arXiv 2208.09392, Algorithm 1)."""

    fixed_latent: ClassVar[bool] = True

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        return State(degradation(restore(state.x, t), s, state.latent), state.latent)


@dataclass(frozen=True)
class Improved(_FirstOrder):
    """x_s = x_t - D(x0_hat, t, z) + D(x0_hat, s, z) (arXiv 2208.09392, Algorithm 2): errors of R cancel to first order."""

    fixed_latent: ClassVar[bool] = True

    def step(
        self, restore: Restore, degradation: Degradation, state: State, t: Tensor, s: Tensor, generator: Random = None
    ) -> State:
        x0, z = restore(state.x, t), state.latent
        return State(state.x - degradation(x0, t, z) + degradation(x0, s, z), z)


@dataclass(frozen=True)
class DDIM(_FirstOrder):
    """x_s = D(x0_hat, s, z), z read off x_t and x0_hat (Song et al. 2020, arXiv 2010.02502, eq. 12).

    eta > 0 replaces part of the noise by fresh noise, with standard deviation eta sigma_s sqrt(var_ts) / sigma_t; eta = 1
    is DDPM's posterior. eta = 0 serves every degradation whose latent can be estimated, eta > 0 those whose steps back are
    Gaussian: noise, and bridges (I2SB).
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
            mean, std = markov(degradation, "DDIM with eta > 0").posterior(state.x, restore(state.x, t), t, s, self.eta)
            return State(_drawn(mean, std, generator), state.latent)
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
        chain = markov(degradation, "DDPM")
        mean, std = chain.posterior(state.x, restore(state.x, t), t, s)
        if self.variance == "large":
            if not isinstance(chain, Gaussian):
                raise ValueError(f"DDPM's large variance is that of noise; {type(degradation).__name__} has none. Use 'small'.")
            std = torch.where(s > 0, chain.transition(t, s)[1], 0)
        return State(_drawn(mean, std, generator), state.latent)


def markov(degradation: Degradation, name: str) -> Markov:
    """The degradation, which must have Gaussian steps back for part of its noise to be replaced by fresh noise."""
    if not isinstance(degradation, Markov):
        raise ValueError(
            f"{name} adds fresh Gaussian noise; {type(degradation).__name__} has none. Use Improved, or DDIM with eta = 0."
        )
    return degradation


def _drawn(mean: Tensor, std: Tensor, generator: Random) -> Tensor:
    """mean + std fresh."""
    fresh = like(normal(mean.shape, generator), mean)
    return mean + per_sample(std, mean) * fresh
