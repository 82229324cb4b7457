"""Gaussian noise, the degradation of DDPM and its descendants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from degrade.checks import checked
from degrade.priors import GaussianPrior
from degrade.random import normal
from degrade.schedules import LinearBeta, Schedule, check_schedule
from degrade.severity import once, per_sample
from degrade.transfer import like

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Noise(NamedTuple):
    eps: Tensor  # (B, C, *space), standard normal


@dataclass(frozen=True)
class GaussianNoise:
    """x_t = alpha(t) x0 + sigma(t) eps (Ho et al. 2020, arXiv 2006.11239, eq. 4)."""

    schedule: Schedule = field(default_factory=LinearBeta)
    """alpha(t) and sigma(t)."""

    def __post_init__(self) -> None:
        check_schedule(self.schedule)

    def draw(self, x0: Tensor, generator: Random = None) -> Noise:
        return Noise(like(normal(x0.shape, generator), x0))

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return once(self.schedule.coefficients, t)

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return once(self.schedule.derivatives, t)

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Noise) -> Tensor:
        (eps,) = latent
        alpha, sigma = self.coefficients(t)
        return per_sample(alpha, x0) * x0 + per_sample(sigma, x0) * eps

    def estimate(self, x_t: Tensor, x0: Tensor, t: Tensor) -> Noise:
        """eps = (x_t - alpha x0) / sigma, for t > 0."""
        alpha, sigma = self.coefficients(t)
        return Noise((x_t - per_sample(alpha, x0) * x0) / per_sample(sigma, x0))

    def transition(self, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """alpha_ts = alpha_t / alpha_s and sqrt(var_ts), var_ts = sigma_t^2 - alpha_ts^2 sigma_s^2."""
        (alpha_t, sigma_t), (alpha_s, sigma_s) = self.coefficients(t), self.coefficients(s)
        scale = alpha_t / alpha_s
        return scale, (sigma_t.square() - (scale * sigma_s).square()).clamp(min=0).sqrt()

    def posterior(self, x_t: Tensor, x0: Tensor, t: Tensor, s: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
        """alpha_s x0 + sqrt(sigma_s^2 - std^2) eps_hat and std = eta sigma_s sqrt(var_ts) / sigma_t (arXiv 2010.02502, eq. 12).

        At eta = 1 the mean is (alpha_ts sigma_s^2 x_t + alpha_s var_ts x0) / sigma_t^2 (arXiv 2006.11239, eq. 7).
        """
        alpha, sigma = self.coefficients(s)
        std = eta * (sigma / self.coefficients(t)[1] * self.transition(t, s)[1])
        (eps,) = self.estimate(x_t, x0, t)
        kept = (sigma.square() - std.square()).clamp(min=0).sqrt()
        return per_sample(alpha, x_t) * x0 + per_sample(kept, x_t) * eps, std

    def prior(self, images: Tensor) -> GaussianPrior:
        """Pure noise: at t = 1 next to nothing is left of x0 (alpha(1) = .006 in the linear schedule of 1000 steps)."""
        return GaussianPrior()
