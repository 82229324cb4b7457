"""Sinusoidal time embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoid(step: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """(B,) -> (B, dim): cos(step w_i) then sin(step w_i), w_i = longest^(-2i/dim), i < dim/2."""
    half = dim // 2
    frequencies = torch.exp(-math.log(longest) * torch.arange(half, device=step.device, dtype=torch.float32) / half)
    angle = step.float()[:, None] * frequencies
    return torch.cat([angle.cos(), angle.sin()], dim=-1)
