"""Sinusoidal time embeddings."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoid(step: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """(B,) -> (B, dim): cos(step w_i) then sin(step w_i), w_i = longest^(-2i/dim), i < dim/2."""
    half = dim // 2
    angle = _angle(step, half, math.log(longest) / half)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def sinusoid_inclusive(step: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """(B,) -> (B, dim): sin(step w_i) then cos(step w_i), w_i from 1 to 1/longest with both ends included.

    The first DDPM code's: w_i = longest^(-i/(dim/2 - 1)), i < dim/2.
    """
    half = dim // 2
    angle = _angle(step, half, math.log(longest) / (half - 1))
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def _angle(step: Tensor, half: int, spacing: float) -> Tensor:
    return step.float()[:, None] * torch.exp(-spacing * torch.arange(half, device=step.device, dtype=torch.float32))
