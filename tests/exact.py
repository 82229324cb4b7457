"""Restorers whose answers are known: the ground that samplers are held to."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from degrade import Affine
from degrade.severity import per_sample


@dataclass(frozen=True)
class GaussianData:
    """Data x0 ~ N(mean, std^2) per pixel, for which restoration and the probability flow have closed forms."""

    degradation: Affine
    mean: float = 0.3
    std: float = 0.4

    def restore(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[x0 | x_t] = mean + alpha std^2 / (alpha^2 std^2 + sigma^2) (x_t - alpha mean)."""
        alpha, sigma = (per_sample(c, x_t) for c in self.degradation.coefficients(t))
        gain = alpha * self.std**2 / (alpha.square() * self.std**2 + sigma.square())
        return self.mean + gain * (x_t - alpha * self.mean)

    def flow(self, x_t: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """Where the probability-flow ODE takes x_t at severity s: standard scores are kept."""
        (a_t, s_t), (a_s, s_s) = self.degradation.coefficients(t), self.degradation.coefficients(s)
        scale = ((a_s * self.std).square() + s_s.square()).sqrt() / ((a_t * self.std).square() + s_t.square()).sqrt()
        return per_sample(a_s, x_t) * self.mean + per_sample(scale, x_t) * (x_t - per_sample(a_t, x_t) * self.mean)


def oracle(x0: Tensor):
    """The restorer that knows the answer."""
    return lambda x_t, t: x0
