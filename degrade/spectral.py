"""Filtering in the frequency domain, with circular or reflecting borders: one cost for any width of filter.

A filter is given by its transfer function, evaluated at angular frequencies; iterated filters multiply theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Border = Literal["reflect", "circular"]


def filter_axes(x: Tensor, change: Callable[[Tensor], Tensor], border: Border) -> Tensor:
    """x (B, C, H, W) filtered along H and along W with the transfer function 1 + change(omega).

    `change` maps frequencies omega (K,) in [0, pi], radians per pixel, to (B, K). It is the transfer function *minus
    one*, so that what is not filtered comes back bit for bit. Border "reflect" mirrors without repeating the edge
    pixel: an even, 2(S-1)-periodic extension, whose spectrum is a DCT-I. The FFT runs in float32 or float64.
    """
    y = x if x.dtype == torch.float64 else x.float()
    for dim in (-2, -1):
        y = y + _filtered(y, change, border, dim)
    return y.to(x.dtype)


def _filtered(x: Tensor, transfer: Callable[[Tensor], Tensor], border: Border, dim: int) -> Tensor:
    size = x.shape[dim]
    if border == "reflect" and size > 2:
        x = torch.cat([x, x.narrow(dim, 1, size - 2).flip(dim)], dim)
    period = x.shape[dim]
    omega = torch.arange(period // 2 + 1, device=x.device, dtype=x.dtype) * (2 * math.pi / period)
    response = transfer(omega).to(x.dtype)
    response = response.reshape(len(response), 1, *([-1, 1] if dim == -2 else [1, -1]))
    y = torch.fft.irfft(torch.fft.rfft(x, dim=dim) * response, n=period, dim=dim)
    return y.narrow(dim, 0, size)
