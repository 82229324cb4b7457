"""What every schedule has: alpha, sigma and their slopes, in float64, of x_t = alpha(t) x0 + sigma(t) z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class AlphaSigma(ABC):
    @abstractmethod
    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma (B,)."""

    @abstractmethod
    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """d alpha/dt <= 0 and d sigma/dt >= 0 (B,), for t > 0.

        d logsnr/dt = 2 (alpha'/alpha - sigma'/sigma), and the velocity of x_t is alpha' x0 + sigma' z.
        """

    def logsnr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2) (B,): +inf at t = 0, -inf where alpha = 0."""
        alpha, sigma = self.coefficients(t)
        return 2 * (alpha.log() - sigma.log())


class VariancePreserving(AlphaSigma):
    """alpha^2 + sigma^2 = 1, written through log abar = log alpha^2, which keeps sigma exact where it is small."""

    @abstractmethod
    def log_abar(self, t: Tensor) -> Tensor:
        """log alpha^2 (B,): 0 at t = 0, falling."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_abar = self.log_abar(t)
        return (log_abar / 2).exp(), torch.expm1(log_abar).abs().sqrt()

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha', and sigma' = -alpha alpha'/sigma, since alpha alpha' + sigma sigma' = 0."""
        alpha, sigma = self.coefficients(t)
        fall = self.alpha_derivative(t)
        return fall, -alpha * fall / sigma

    @abstractmethod
    def alpha_derivative(self, t: Tensor) -> Tensor:
        """d alpha/dt (B,)."""
