"""Discrete schedules: the variances beta_k of so many published steps, of which the levels between are interpolated."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from degrade.alpha_sigma import VariancePreserving
from degrade.checks import bounded
from degrade.lazy import torch
from degrade.severity import on_grid, wide, wide_dtype

if TYPE_CHECKING:
    from torch import Tensor


class _Discrete(VariancePreserving):
    """`steps` published levels: level k (0-based) lies at t = (k + 1)/steps; log abar is linear between levels.

    On the way to a level without signal, where log abar is -inf, alpha is linear instead.
    """

    steps: int

    @abstractmethod
    def betas(self) -> Tensor:
        """The variances of the steps (steps,), float64."""

    def log_abar(self, t: Tensor) -> Tensor:
        table = _log_abar(self, t.device)
        index, fraction = on_grid(t, self.steps)
        below, above = table[index], table[(index + 1).clamp(max=self.steps)]
        linear = torch.where(above.isinf(), 2 * torch.log1p(-fraction), fraction * (above - below))
        return below + torch.where(fraction > 0, linear, 0)

    def alpha_derivative(self, t: Tensor) -> Tensor:
        """alpha (log abar)'/2, with the slope of log abar on the step that t lies in; at a level, the mean of both."""
        table = _log_abar(self, t.device)
        index, fraction = on_grid(t, self.steps)
        above = (index + 1).clamp(max=self.steps)
        below = torch.where((fraction > 0) | (index == 0), index, index - 1)
        rise, span = table[above] - table[below], wide(above - below) / self.steps
        straight = ((table[above] / 2).exp() - (table[below] / 2).exp()) / span
        return torch.where(table[above].isinf(), straight, self.coefficients(t)[0] * rise / span / 2)

    def time(self, logsnr: Tensor) -> Tensor:
        table = _log_abar(self, logsnr.device)
        log_abar = torch.nn.functional.logsigmoid(wide(logsnr))
        above = torch.searchsorted(-table, -log_abar).clamp(1, self.steps)  # table falls
        start, end = table[above - 1], table[above]
        share = torch.where(end.isinf(), -torch.expm1((log_abar - start) / 2), (log_abar - start) / (end - start))
        return ((above - 1) + share.clamp(0, 1)) / self.steps


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
        f = cosine_abar(torch.arange(self.steps + 1, dtype=torch.float64) / self.steps)
        return (1 - f[1:] / f[:-1]).clamp(max=0.999)


@dataclass(frozen=True)
class Betas(_Discrete):
    """The betas of a published model, as its configuration gives them.

    | kind | beta_k, k = 0, ..., steps - 1 |
    | --- | --- |
    | linear | from `first` to `last` in equal steps (LinearBeta() is 1e-4 to .02 of 1000) |
    | scaled-linear | their roots, from sqrt(first) to sqrt(last), in equal steps (Rombach et al. 2022, arXiv 2112.10752) |
    | cosine | those of `CosineBeta`, which names no ends |

    The defaults are Stable Diffusion's. With `zero_snr` no signal is left at t = 1: sqrt(abar) is shifted and scaled so that
    the last is 0 and the first stays (Lin et al. 2023, arXiv 2305.08891, Algorithm 1).
    """

    kind: Literal["linear", "scaled-linear", "cosine"] = "scaled-linear"
    """How beta rises."""
    first: float = 0.00085
    """The first beta."""
    last: float = 0.012
    """The last one."""
    steps: int = 1000
    """Of the published process."""
    zero_snr: bool = False
    """No signal at t = 1: then the network must predict v."""

    def __post_init__(self) -> None:
        bounded(self, first=(1e-9, 0.999), last=(1e-9, 0.999), steps=(2, MOST_STEPS))
        if self.first > self.last:
            raise ValueError(f"betas rise, from first to last; got {self.first} and {self.last}.")

    def betas(self) -> Tensor:
        betas = self._published()
        if not self.zero_snr:
            return betas
        root = torch.log1p(-betas).cumsum(0).div(2).exp()
        abar = ((root - root[-1]) * root[0] / (root[0] - root[-1])).square()
        return 1 - abar / torch.cat([torch.ones(1, dtype=abar.dtype), abar[:-1]])

    def _published(self) -> Tensor:
        if self.kind == "cosine":
            return CosineBeta(self.steps).betas()
        power = 2.0 if self.kind == "scaled-linear" else 1.0
        ends = (self.first ** (1 / power), self.last ** (1 / power))
        return torch.linspace(*ends, self.steps, dtype=torch.float64) ** power


OFFSET = 0.008


def cosine_abar(u: Tensor) -> Tensor:
    """f(u) = cos^2((u + .008)/1.008 * pi/2)."""
    return torch.cos((u + OFFSET) / (1 + OFFSET) * (math.pi / 2)).square()
