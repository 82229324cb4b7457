"""Gaussian noise, the degradation of DDPM and its descendants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from degrade.checks import checked
from degrade.priors import GaussianPrior
from degrade.random import normal
from degrade.schedules import LinearBeta, Schedule, check_schedule
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Noise(NamedTuple):
    eps: Tensor  # (B, C, H, W), standard normal


@dataclass(frozen=True)
class GaussianNoise:
    """x_t = alpha(t) x0 + sigma(t) eps (Ho et al. 2020, arXiv 2006.11239, eq. 4)."""

    schedule: Schedule = field(default_factory=LinearBeta)
    """alpha(t) and sigma(t)."""

    def __post_init__(self) -> None:
        check_schedule(self.schedule)

    def draw(self, x0: Tensor, generator: Random = None) -> Noise:
        return Noise(normal(x0.shape, generator).to(x0))

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.schedule.coefficients(t)

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.schedule.derivatives(t)

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Noise) -> Tensor:
        (eps,) = latent
        alpha, sigma = self.coefficients(t)
        return per_sample(alpha, x0) * x0 + per_sample(sigma, x0) * eps

    def estimate(self, x_t: Tensor, x0: Tensor, t: Tensor) -> Noise:
        """eps = (x_t - alpha x0) / sigma, for t > 0."""
        alpha, sigma = self.coefficients(t)
        return Noise((x_t - per_sample(alpha, x0) * x0) / per_sample(sigma, x0))

    def prior(self, images: Tensor) -> GaussianPrior:
        """Pure noise: at t = 1 next to nothing is left of x0 (alpha(1) = .006 in the linear schedule of 1000 steps)."""
        return GaussianPrior()
