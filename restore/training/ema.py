"""Exponential moving average of weights, in float32, with warm-up."""

from __future__ import annotations

from collections.abc import Iterable

import torch


class Ema:
    """average += (1 - decay) a (weights - average), at most to the weights, starting at them.

    a is how far the step went along the plan, 1 where steps are counted. With warm-up the decay of update n is at most
    (1 + n) / (10 + n), so that short runs forget their first weights.
    Float32 whatever the weights are: in bfloat16 an update of a thousandth is lost.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], decay: float, warmup: bool = True) -> None:
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.average = [p.detach().float().clone() for p in parameters]

    def next_weight(self, advance: float = 1) -> float:
        """(1 - decay) a of the next update, which is counted."""
        self.updates += 1
        weight = min(1.0, (1 - self.decay) * advance)
        if self.warmup:
            weight = max(weight, 1 - (1 + self.updates) / (10 + self.updates))
        return weight

    @torch.no_grad()
    def move(self, parameters: Iterable[torch.Tensor], weight: float | torch.Tensor) -> None:
        """average += weight (weights - average)."""
        weights = [p.float() for p in parameters]
        if isinstance(weight, torch.Tensor):
            torch._foreach_add_(self.average, torch._foreach_mul(torch._foreach_sub(weights, self.average), weight))
        else:
            torch._foreach_lerp_(self.average, weights, weight)
