"""Patches in balance: each known patch is used about as often as it occurs (entropic optimal transport)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.patches.bank import LEAST_STD

WIDEST = 1.5
"""Standard deviation from which that of the plan falls, by quarters, to the asked one: potentials are found on the way."""
FALL = 4
HALF_STEPS = 6
MOST = 1e12
"""Largest factor that a potential changes by at one width: what is further away waits for the next."""


class Transport:
    """Keys (K, D), what a patch looks like degraded, with values (K, V), the patch itself: all are met, in balance.

    The plan P (Q, K) is that of entropic optimal transport from the queries q to the keys k (Cuturi 2013, "Sinkhorn distances";
    Peyre and Cuturi 2019, "Computational optimal transport", section 4.1 and remark 4.14 for the falling width):

        P_qk = exp((f_k - |q - gain k|^2) / (2 std^2)) / sum of its row,      sum_q P_qk = Q / K for every k

    so that what the photograph holds neither gets lost nor spreads, as it does where each query takes what it likes best
    (f = 0, the posterior mean): averages have little contrast, and are nearest to what has little. The balance is kept as far
    as a few half-steps at each width reach.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.centre = keys.mean(0)
        self.keys, self.values = keys - self.centre, values
        self.squares = self.keys.square().sum(1)

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """The mean value (B, Q, V) of each query (B, Q, D) = gain key + std noise, under the plan of its own image."""
        return torch.stack([self.plan(q, gain, std) @ self.values for q in queries])

    def plan(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """P (Q, K) for the queries (Q, D) of one image."""
        near = torch.addmm(self.squares, queries - gain * self.centre, self.keys.T, beta=-(gain**2), alpha=2 * gain)
        potential, plan = near.new_zeros(len(self.keys)), near
        for width in _widths(max(std, LEAST_STD)):
            plan = (near + potential).div_(2 * width**2)
            plan.sub_(plan.amax(1, keepdim=True)).exp_()
            factor = torch.ones_like(potential)
            for _ in range(HALF_STEPS):
                rows = 1 / (plan @ factor)
                used = (rows @ plan) * factor * (len(self.keys) / len(queries))
                factor = (factor / used.clamp(min=1e-6)).clamp(1 / MOST, MOST)
            potential = potential + 2 * width**2 * factor.log()
            potential -= potential.mean()
        plan *= factor
        return plan.div_(plan.sum(1, keepdim=True))


def _widths(std: float) -> list[float]:
    """std, and FALL times as much up to about WIDEST, the largest first."""
    widths = [std]
    while FALL * widths[0] <= FALL**0.5 * WIDEST:
        widths.insert(0, FALL * widths[0])
    return widths
