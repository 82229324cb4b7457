"""What a network is told beside the image: the severity, and a class or an embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.embedding import sinusoid


class Told(nn.Module):
    """(t (B,) in [0, 1], cond) -> (B, width), after a SiLU: what every block takes.

    `cond` is a class for each image (B,), integers with -1 for none; or an embedding (B, conditions), with 0 for none; or None,
    for none at all.
    """

    def __init__(self, width: int, conditions: int = 0) -> None:
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.cond = nn.Linear(conditions, width, bias=False) if conditions else None

    def forward(self, t: Tensor, cond: Tensor | None = None) -> Tensor:
        dtype = next(self.parameters()).dtype
        told = self.time(sinusoid(1000 * t, self.width).to(dtype))
        if cond is None:
            return F.silu(told)
        if self.cond is None:
            raise ValueError("this network takes no condition: build it with conditions=, the number of classes.")
        conditions = self.cond.in_features
        if not cond.is_floating_point():
            cond = cond[:, None] == torch.arange(conditions, device=cond.device)
        return F.silu(told + self.cond(cond.to(dtype)))
