"""The invertible 5/3 wavelet by lifting (Le Gall & Tabatabai 1988; JPEG 2000, ISO/IEC 15444-1, annex F), for any size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = 2**0.5


def wavelet(x: Tensor) -> Tensor:
    """(B, C, H, W), H and W at least 2, to its bands (B, 4 C, ceil(H/2), ceil(W/2)): low and high along rows and columns.

    Along one axis, even samples s and odd samples d:

        d_i <- d_i - (s_i + s_(i+1)) / 2,    s_i <- s_i + (d_(i-1) + d_i) / 4,    low = sqrt(2) s,  high = d / sqrt(2)

    mirrored at the ends. The factors bring it near an orthogonal transform: along one axis .47 |x|^2 < |bands|^2 < 2.25 |x|^2,
    and white noise of deviation 1 gets 1.44 in low-low, .75 in high-high, 1.04 in the others. An odd side has one high sample
    fewer: a zero stands in its place.
    """
    return torch.cat([band for half in _split(x, -2) for band in _split(half, -1)], dim=1)


def unwavelet(bands: Tensor, height: int, width: int) -> Tensor:
    """The image (B, C, H, W) of its bands: the inverse of `wavelet`, up to rounding."""
    ll, lh, hl, hh = bands.chunk(4, dim=1)
    return _join(_join(ll, lh, width, -1), _join(hl, hh, width, -1), height, -2)


def _split(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    x = x.transpose(dim, -1)
    if x.shape[-1] < 2:
        raise ValueError("the wavelet halves sides of at least 2 pixels, got 1.")
    s, d = x[..., ::2], x[..., 1::2]
    d = d - _predicted(s, d.shape[-1])
    s = s + _updated(d, s.shape[-1])
    d = F.pad(d, (0, s.shape[-1] - d.shape[-1]))
    return (ROOT * s).transpose(dim, -1), (d / ROOT).transpose(dim, -1)


def _join(low: Tensor, high: Tensor, side: int, dim: int) -> Tensor:
    s, d = low.transpose(dim, -1) / ROOT, high.transpose(dim, -1)[..., : side // 2] * ROOT
    s = s - _updated(d, s.shape[-1])
    d = d + _predicted(s, d.shape[-1])
    x = torch.stack([s, F.pad(d, (0, s.shape[-1] - d.shape[-1]))], dim=-1).flatten(-2)[..., :side]
    return x.transpose(dim, -1)


def _predicted(s: Tensor, count: int) -> Tensor:
    """The mean of the two even samples beside each of the `count` odd ones."""
    following = torch.cat([s[..., 1:], s[..., -1:]], dim=-1)
    return (s[..., :count] + following[..., :count]) / 2


def _updated(d: Tensor, count: int) -> Tensor:
    """Half the mean of the two odd samples beside each of the `count` even ones."""
    before = torch.cat([d[..., :1], d], dim=-1)[..., :count]
    after = torch.cat([d, d[..., -1:]], dim=-1)[..., :count]
    return (before + after) / 4
