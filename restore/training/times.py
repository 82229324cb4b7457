"""How often training looks at which severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.severity import wide

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class TimeSampling(Protocol):
    """A distribution of severities, as a function of uniform numbers: a setting of training."""

    def severities(self, u: Tensor) -> Tensor:
        """t (B,) in (0, 1] for u (B,) in [0, 1), each t of its own u only; both float32."""
        ...


@dataclass(frozen=True)
class UniformTimes:
    """t = 1 - u: all severities alike."""

    def severities(self, u: Tensor) -> Tensor:
        return 1 - u


@dataclass(frozen=True)
class LogitNormal:
    """logit(t) ~ N(mean, std^2): the middle severities most (Esser et al. 2024, arXiv 2403.03206, eq. 19).

    t = 1/(1 + exp(-mean - std Phi^-1(1 - u))), Phi the standard normal distribution function. Published for rectified flow:
    mean 0 and std 1; severities are those of the schedule, so under another one the same numbers mean other noise levels.
    """

    mean: float = 0.0
    """Of logit(t): above 0 for more of the high severities."""
    std: float = 1.0
    """Of logit(t): small for the middle alone."""

    def __post_init__(self) -> None:
        bounded(self, mean=(-10, 10), std=(1e-3, 10))

    def severities(self, u: Tensor) -> Tensor:
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(1 - wide(u))).to(u)


@dataclass(frozen=True)
class Levels:
    """t uniform on 1/count, 2/count, ..., 1: the steps of a published process."""

    count: int = 1000
    """How many there are."""

    def __post_init__(self) -> None:
        bounded(self, count=(1, 10**6))

    def severities(self, u: Tensor) -> Tensor:
        return ((u * self.count).floor() + 1) / self.count


@dataclass(frozen=True)
class Interval:
    """t uniform in (low, high]: an expert of these severities (recipes/experts.py)."""

    low: float = 0.0
    """Where it begins."""
    high: float = 1.0
    """Where it ends."""

    def __post_init__(self) -> None:
        bounded(self, low=(0, 1), high=(0, 1))
        if not self.low < self.high:
            raise ValueError(f"an interval of severities rises, got {self.low} to {self.high}.")

    def severities(self, u: Tensor) -> Tensor:
        return self.high - (self.high - self.low) * u


TIMES = (UniformTimes, LogitNormal, Levels, Interval)
"""How severities may be drawn in training, as a checkpoint may name it."""
