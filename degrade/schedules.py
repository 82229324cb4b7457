"""How much signal and noise an affine degradation has at severity t: x_t = alpha(t) x0 + sigma(t) z.

A schedule gives `coefficients(t)`, their log signal-to-noise ratio `logsnr(t) = log(alpha^2 / sigma^2)`, falling in t,
and its inverse `time(logsnr)`. All in float64. Every schedule is clean at t = 0: alpha 1, sigma 0, logsnr +inf.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Union

from degrade.lazy import torch
from degrade.severity import on_grid, wide, wide_dtype

if TYPE_CHECKING:
    from torch import Tensor


class _Schedule(ABC):
    @abstractmethod
    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma (B,)."""

    def logsnr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2) (B,): +inf at t = 0, -inf where alpha = 0."""
        alpha, sigma = self.coefficients(t)
        return 2 * (alpha.log() - sigma.log())


class _VariancePreserving(_Schedule):
    """alpha^2 + sigma^2 = 1, written through log abar = log alpha^2, which keeps sigma exact where it is small."""

    @abstractmethod
    def log_abar(self, t: Tensor) -> Tensor:
        """log alpha^2 (B,): 0 at t = 0, falling."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_abar = self.log_abar(t)
        return (log_abar / 2).exp(), (-torch.expm1(log_abar)).sqrt()


class _Discrete(_VariancePreserving):
    """`steps` published levels: level k (0-based) lies at t = (k + 1)/steps; log abar is linear between levels."""

    steps: int

    @abstractmethod
    def betas(self) -> Tensor:
        """The variances of the steps (steps,), float64."""

    def log_abar(self, t: Tensor) -> Tensor:
        table = _log_abar(self, t.device)
        index, fraction = on_grid(t, self.steps)
        below, above = table[index], table[(index + 1).clamp(max=self.steps)]
        return below + fraction * (above - below)

    def time(self, logsnr: Tensor) -> Tensor:
        table = _log_abar(self, logsnr.device)
        log_abar = torch.nn.functional.logsigmoid(wide(logsnr))
        above = torch.searchsorted(-table, -log_abar).clamp(1, self.steps)  # table falls
        start, end = table[above - 1], table[above]
        return ((above - 1) + ((log_abar - start) / (end - start)).clamp(0, 1)) / self.steps


@lru_cache(maxsize=16)
def _log_abar(schedule: _Discrete, device: torch.device) -> Tensor:
    """log abar at t = 0, 1/steps, ..., 1: (steps + 1,)."""
    log_abar = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-schedule.betas()).cumsum(0)])
    return log_abar.to(device, wide_dtype(device))


MOST_STEPS = 1_000_000
"""Of a discrete schedule, whose steps are held in a table."""


@dataclass(frozen=True)
class LinearBeta(_Discrete):
    """beta_k linear from 1e-4 to 0.02, both rescaled by 1000/steps (Ho et al. 2020, arXiv 2006.11239, section 4)."""

    steps: int = 1000

    def __post_init__(self) -> None:
        if not 20 < self.steps <= MOST_STEPS:
            raise ValueError(
                f"LinearBeta needs more than 20 steps (its last beta is 20/steps), and at most {MOST_STEPS}; "
                f"got {self.steps}. Use CosineBeta for fewer."
            )

    def betas(self) -> Tensor:
        scale = 1000 / self.steps
        return torch.linspace(scale * 1e-4, scale * 0.02, self.steps, dtype=torch.float64)


@dataclass(frozen=True)
class CosineBeta(_Discrete):
    """beta_k = min(1 - f((k+1)/steps)/f(k/steps), .999), f as in `Cosine` (Nichol & Dhariwal, arXiv 2102.09672, eq. 17)."""

    steps: int = 1000

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= MOST_STEPS:
            raise ValueError(f"a discrete schedule needs at least 2 steps and at most {MOST_STEPS}, got {self.steps}.")

    def betas(self) -> Tensor:
        f = _cosine_abar(torch.arange(self.steps + 1, dtype=torch.float64) / self.steps)
        return (1 - f[1:] / f[:-1]).clamp(max=0.999)


_OFFSET = 0.008


def _cosine_abar(u: Tensor) -> Tensor:
    """f(u) = cos^2((u + .008)/1.008 * pi/2)."""
    return torch.cos((u + _OFFSET) / (1 + _OFFSET) * (math.pi / 2)).square()


@dataclass(frozen=True)
class Cosine(_VariancePreserving):
    """abar(t) = f(t)/f(0), f(u) = cos^2((u + .008)/1.008 * pi/2), continuous (arXiv 2102.09672, eq. 17). alpha(1) = 0."""

    def log_abar(self, t: Tensor) -> Tensor:
        t = wide(t)
        abar = (_cosine_abar(t) / _cosine_abar(torch.zeros_like(t))).clamp(0, 1)
        return torch.where(t >= 1, -math.inf, abar.log())

    def time(self, logsnr: Tensor) -> Tensor:
        abar = torch.sigmoid(wide(logsnr)) * _cosine_abar(torch.zeros_like(wide(logsnr)))
        return (abar.sqrt().acos() * (2 / math.pi) * (1 + _OFFSET) - _OFFSET).clamp(0, 1)


@dataclass(frozen=True)
class Flow(_Schedule):
    """alpha = 1 - t, sigma = t: the straight path of rectified flow (Liu et al. 2022, arXiv 2209.03003). alpha(1) = 0."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        t = wide(t)
        return 1 - t, t

    def time(self, logsnr: Tensor) -> Tensor:
        return torch.sigmoid(-wide(logsnr) / 2)


SCHEDULES = (LinearBeta, CosineBeta, Cosine, Flow)
Schedule = Union[LinearBeta, CosineBeta, Cosine, Flow]


def check_schedule(schedule: object) -> None:
    """Raises ValueError unless `schedule` is one, rather than a name or a number."""
    if not all(callable(getattr(schedule, name, None)) for name in ("coefficients", "logsnr", "time")):
        known = ", ".join(f"{one.__name__}()" for one in SCHEDULES)
        raise ValueError(f"a schedule is one of {known}, or has their three methods; got {schedule!r}.")
