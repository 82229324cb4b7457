"""How much signal and noise an affine degradation has at severity t: x_t = alpha(t) x0 + sigma(t) z.

A schedule gives `coefficients(t)`, their `derivatives(t)`, their log signal-to-noise ratio `logsnr(t)`, log(alpha^2 / sigma^2),
falling in t, and its inverse `time(logsnr)`. All in float64. Every schedule is clean at t = 0: alpha 1, sigma 0, logsnr +inf;
sigma > 0 at every t > 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from degrade.alpha_sigma import AlphaSigma, VariancePreserving
from degrade.betas import OFFSET, Betas, CosineBeta, LinearBeta, cosine_abar
from degrade.lazy import torch
from degrade.severity import wide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


_ANGLE = math.pi / 2 / (1 + OFFSET)
_TAN = math.tan(OFFSET * _ANGLE)


@dataclass(frozen=True)
class Cosine(VariancePreserving):
    """abar(t) = f(t)/f(0), f(u) = cos^2((u + .008)/1.008 * pi/2), continuous (arXiv 2102.09672, eq. 17). alpha(1) = 0.

    With the angle a = t/1.008 * pi/2 and b = .008/1.008 * pi/2, alpha = cos(a + b)/cos b = cos a - tan b sin a.
    """

    def log_abar(self, t: Tensor) -> Tensor:
        """2 log(1 - loss), loss = 1 - alpha = 2 sin^2(a/2) + tan b sin a, which is exact also where it is small."""
        t = wide(t)
        loss = 2 * (t * _ANGLE / 2).sin().square() + _TAN * (t * _ANGLE).sin()
        return torch.where(t >= 1, -math.inf, 2 * torch.log1p(-loss.clamp(0, 1)))

    def alpha_derivative(self, t: Tensor) -> Tensor:
        angle = wide(t) * _ANGLE
        return -_ANGLE * (angle.sin() + _TAN * angle.cos())

    def time(self, logsnr: Tensor) -> Tensor:
        abar = torch.sigmoid(wide(logsnr)) * cosine_abar(torch.zeros_like(wide(logsnr)))
        return (abar.sqrt().acos() * (2 / math.pi) * (1 + OFFSET) - OFFSET).clamp(0, 1)


@dataclass(frozen=True)
class RectifiedFlow(AlphaSigma):
    """alpha = 1 - t, sigma = t: the straight path of rectified flow (Liu et al. 2022, arXiv 2209.03003). alpha(1) = 0."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        t = wide(t)
        return 1 - t, t

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(wide(t))
        return -one, one

    def time(self, logsnr: Tensor) -> Tensor:
        return torch.sigmoid(-wide(logsnr) / 2)


@dataclass(frozen=True)
class ShiftedCosine(VariancePreserving):
    """simple diffusion's schedule for images of `size` pixels (Hoogeboom et al. 2023, arXiv 2301.11093, eqs. 2 to 6).

        cosine(t) = -2 log tan(u(highest) + t (u(lowest) - u(highest))),  u(l) = atan exp(-l/2)
        shift(r) = 2 log(r / size)
        logsnr(t) = (1 - t) (cosine(t) + shift(clean)) + t (cosine(t) + shift(noisy)),  t > 0

    Averaging n x n pixels divides the variance of their noise by n^2, so large images need more noise for the same damage. With
    one reference r = `clean` = `noisy`, an image that is averaged down to r pixels is as noisy as one of r pixels under the
    plain cosine. Implementations disagree on which of two references (32 and 256 for 512 pixels) belongs to which end: in the
    paper's eq. 6, `clean` is 32; in crowsonkb/k-diffusion it is 256. At t = 0 nothing is degraded: alpha = 1, sigma = 0.
    """

    size: int = 64
    """Side of the images, pixels."""
    clean: int = 64
    """Reference at t = 0, pixels."""
    noisy: int = 64
    """Reference at t = 1, pixels."""
    lowest: float = -15.0
    """Log-SNR at t = 1."""
    highest: float = 15.0
    """Log-SNR at t -> 0."""
    fixed_ends: bool = True
    """Whether the shifted schedule still goes from `highest` to `lowest`; else its ends are shifted with it."""

    def __post_init__(self) -> None:
        if min(self.size, self.clean, self.noisy) < 1 or max(self.size, self.clean, self.noisy) > 2**20:
            raise ValueError(f"sizes are in pixels, 1 to {2**20}; got {self.size}, {self.clean} and {self.noisy}.")
        if not -40 <= self.lowest < self.highest <= 30:
            raise ValueError(f"log-SNR goes from at most 30 down to at least -40, got {self.highest} to {self.lowest}.")
        slowest = 4 * min(self._part(reference)[2] for reference in (self.clean, self.noisy))  # d/dt of -2 log tan, at least
        if 2 * math.log(self.noisy / self.clean) >= slowest:
            raise ValueError(
                f"between the references {self.clean} and {self.noisy} log-SNR does not fall all the way: bring them closer."
            )

    def logsnr(self, t: Tensor) -> Tensor:
        t = wide(t)
        return torch.where(t <= 0, math.inf, self._logsnr(t))

    def log_abar(self, t: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(self.logsnr(t))

    def alpha_derivative(self, t: Tensor) -> Tensor:
        """alpha sigma^2 logsnr'/2: the derivative of alpha^2 = sigmoid(logsnr)."""
        alpha, sigma = self.coefficients(t)
        return alpha * sigma.square() * self._logsnr_derivative(wide(t)) / 2

    def time(self, logsnr: Tensor) -> Tensor:
        logsnr = wide(logsnr)
        if self.clean == self.noisy:
            shift, start, length = self._part(self.clean)
            return ((((shift - logsnr) / 2).exp().atan() - start) / length).clamp(0, 1)
        low, high = torch.zeros_like(logsnr), torch.ones_like(logsnr)
        for _ in range(60):  # bisection: a sum of two cosines has no closed inverse
            middle = (low + high) / 2
            cleaner = self._logsnr(middle) > logsnr
            low, high = torch.where(cleaner, middle, low), torch.where(cleaner, high, middle)
        return (low + high) / 2

    def _logsnr(self, t: Tensor) -> Tensor:
        (clean, _), (noisy, _) = self._ends(t)
        return clean + t * (noisy - clean)

    def _logsnr_derivative(self, t: Tensor) -> Tensor:
        (clean, clean_slope), (noisy, noisy_slope) = self._ends(t)
        return noisy - clean + (1 - t) * clean_slope + t * noisy_slope

    def _ends(self, t: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The cosine shifted to each reference, and its slope: d/du of -2 log tan(u) is -4/sin(2 u)."""
        for shift, start, length in map(self._part, (self.clean, self.noisy)):
            angle = start + t * length
            yield shift - 2 * angle.tan().log(), -4 * length / (2 * angle).sin()

    def _part(self, reference: int) -> tuple[float, float, float]:
        """The shift of a reference, and the angle at t = 0 and how far it goes until t = 1."""
        shift = 2 * math.log(reference / self.size)
        moved = shift if self.fixed_ends else 0.0
        start, end = (math.atan(math.exp((moved - logsnr) / 2)) for logsnr in (self.highest, self.lowest))
        return shift, start, end - start


SCHEDULES = (LinearBeta, CosineBeta, Betas, Cosine, ShiftedCosine, RectifiedFlow)
"""The schedules that a checkpoint may name."""
Schedule = Union[LinearBeta, CosineBeta, Betas, Cosine, ShiftedCosine, RectifiedFlow]
"""Any schedule of the project."""


def check_schedule(schedule: object) -> None:
    """Raises ValueError unless `schedule` is one, rather than a name or a number."""
    if not all(callable(getattr(schedule, name, None)) for name in ("coefficients", "derivatives", "logsnr", "time")):
        known = ", ".join(f"{one.__name__}()" for one in SCHEDULES)
        raise ValueError(f"a schedule is one of {known}, or has their four methods; got {schedule!r}.")
