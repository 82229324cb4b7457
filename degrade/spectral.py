"""Filtering in the frequency domain, with circular or reflecting borders: one cost for any width of filter.

A filter is given by its transfer function; iterated filters multiply theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from degrade.lazy import torch
from degrade.severity import wide_dtype
from degrade.transfer import moved

if TYPE_CHECKING:
    from torch import Tensor

Border = Literal["reflect", "circular"]


def frequencies(period: int, device: torch.device) -> Tensor:
    """omega_k = 2 pi k / period (period // 2 + 1,) in [0, pi], radians per pixel, in the wide dtype of `device`."""
    return torch.arange(period // 2 + 1, device=device, dtype=wide_dtype(device)) * (2 * math.pi / period)


def gaussian_blur(x: Tensor, sigma: Tensor | float, border: Border = "reflect") -> Tensor:
    """x (B, C, ..., H, W) convolved along H and W with a Gaussian of standard deviation `sigma` pixels, one for all or (B,).

    The transfer function along an axis is exp(-sigma^2 omega^2 / 2). Computed in float32 or float64, returned in x's dtype.
    """
    variance = moved(torch.as_tensor(sigma, dtype=wide_dtype(x.device)), x.device).square().reshape(-1, 1)

    def change(period: int) -> Tensor:
        return torch.expm1(-variance * frequencies(period, x.device).square() / 2)

    return filter_axes(x.to(torch.promote_types(x.dtype, torch.float32)), change, border).to(x.dtype)


def filter_axes(x: Tensor, change: Callable[[int], Tensor], border: Border) -> Tensor:
    """x (B, C, ..., H, W), float32 or float64, filtered along H and along W with the transfer function 1 + change.

    `change(period)` gives it at `frequencies(period)`, (B, K). It is the transfer function *minus one*, so that what is
    not filtered comes back bit for bit. Border "reflect" mirrors without repeating the edge pixel: an even,
    2(S-1)-periodic extension, whose spectrum is a DCT-I.
    """
    for dim in (-2, -1):
        x = x + _filtered(x, change, border, dim)
    return x


def _filtered(x: Tensor, change: Callable[[int], Tensor], border: Border, dim: int) -> Tensor:
    size = x.shape[dim]
    if border == "reflect" and size > 2:
        x = torch.cat([x, x.narrow(dim, 1, size - 2).flip(dim)], dim)
    period = x.shape[dim]
    response = change(period).to(x.dtype)
    response = response.reshape(len(response), *[1] * (x.ndim - 3), *([-1, 1] if dim == -2 else [1, -1]))
    y = torch.fft.irfft(torch.fft.rfft(x, dim=dim) * response, n=period, dim=dim)
    return y.narrow(dim, 0, size)
