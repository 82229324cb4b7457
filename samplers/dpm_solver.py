"""DPM-Solver++ 2M: second order in log-SNR, one restoration a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.protocols import Affine, Degradation, State
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from degrade.random import Random


class History(NamedTuple):
    x: Tensor
    x0: Tensor | None  # the estimate of the step before
    half_logsnr: Tensor | None  # lambda of the step before, (B,)


@dataclass(frozen=True)
class DPMSolver:
    """DPM-Solver++(2M) in data prediction (Lu et al. 2022, arXiv 2211.01095, Algorithm 2).

    With lambda = log(alpha/sigma), h = lambda_s - lambda_t and r = (lambda_t - lambda_before) / h:
    D = (1 + 1/2r) x0_hat - 1/2r x0_before,  x_s = sigma_s/sigma_t x_t - alpha_s expm1(-h) D.
    The first step, and a last one to s = 0 (where lambda is infinite), are of first order.
    """

    def init(self, start: State) -> History:
        return History(start.x, None, None)

    def step(
        self, restore: Restore, degradation: Degradation, state: History, t: Tensor, s: Tensor, generator: Random = None
    ) -> History:
        if not isinstance(degradation, Affine):
            raise ValueError(f"DPM-Solver++ needs an affine degradation; {type(degradation).__name__} is not. Use Improved.")
        (alpha_t, sigma_t), (alpha_s, sigma_s) = degradation.coefficients(t), degradation.coefficients(s)
        now, then = alpha_t.log() - sigma_t.log(), alpha_s.log() - sigma_s.log()
        x, x0 = state.x, restore(state.x, t)
        estimate = x0
        if state.x0 is not None and state.half_logsnr is not None:
            # r is 0 after a start without signal (lambda = -inf) and h infinite before s = 0: first order in both cases
            factor = (then - now) / (now - state.half_logsnr) / 2
            factor = torch.where(torch.isfinite(factor), factor, 0)
            estimate = x0 + per_sample(factor, x) * (x0 - state.x0)
        drift = -alpha_s * torch.expm1(now - then)
        return History(per_sample(sigma_s / sigma_t, x) * x + per_sample(drift, x) * estimate, x0, now)
