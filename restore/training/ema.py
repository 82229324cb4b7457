"""Exponential moving average of weights, in float32, with warm-up."""

from __future__ import annotations

from collections.abc import Iterable

import torch


class Ema:
    """average += (1 - decay) (weights - average), starting at the weights themselves.

    With warm-up the decay of update n is min(decay, (1 + n) / (10 + n)), so that short runs forget their first weights.
    Float32 whatever the weights are: in bfloat16 an update of a thousandth is lost.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], decay: float, warmup: bool = True) -> None:
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.average = [p.detach().float().clone() for p in parameters]

    @torch.no_grad()
    def update(self, parameters: Iterable[torch.Tensor]) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        torch._foreach_lerp_(self.average, [p.detach().float() for p in parameters], 1 - decay)
