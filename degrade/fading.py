"""Pictures that fade to a colour by a known profile: where its middle is, read off the picture, and the fading undone.

x_t = m x0 + (1 - m) fill,    m in [0, 1] a profile that is known but for its place
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import wide

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 2 / 255 / 12**0.5
"""Standard deviation of what rounding to 8 bits adds to x in [-1, 1]."""
LEAST = 0.05
"""Share of a pixel that must be left to have it back: rounding to 8 bits is made at most 20 times as large, .05 in [-1, 1]."""
SMOOTH = 0.005
"""Difference of neighbours in a picture, in [-1, 1], below which they count as alike."""
PLACES = 9
"""Likeliest places of the middle that are looked at closely."""


def unfaded(x: Tensor, m: Tensor, fill: Tensor) -> tuple[Tensor, Tensor]:
    """x0 = (x - (1 - m) fill)/m where m (B, 1, H, W) is at least .05, 0 elsewhere, (B, C, H, W); and where, 1 or 0."""
    known = (m >= LEAST).to(x)
    m = m.to(x)
    return known * (x - (1 - m) * fill) / m.clamp(min=LEAST), known


def located(x: Tensor, m: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The middle (B, 2), whole pixels from -1 to S - 1 along a side of S, and the colour (B, C, 1, 1) that x faded to.

    x is (B, C, H, W); m (B, 2H + 1, 2W + 1) the profile around its middle at (H, W); the colour lies in low..high (C,).

    Under x - fill ~ N(0, m^2 v + q^2), v of the whole picture, q the rounding to 8 bits, the likelihoods of all places are
    correlations of x and x^2 with profiles, by FFT. Of the nine likeliest, the middle is where the undone picture has
    fewest edges: differences d of neighbours are Student-like, -log p = log(m^2 e^2 + 2 q^2) + 2 log(1 + d^2/(...)) + const.
    """
    middle = ((low + high) / 2).to(x).reshape(1, -1, 1, 1)
    room = wide((high - low) / 2).to(x.device).reshape(1, -1, 1, 1)
    y = x - middle
    place, colour = _likeliest(wide(y), wide(m), room)
    which = torch.stack(
        [
            _edges(y - g.to(y), _placed(m, yx, y).clamp(min=1e-3))
            for yx, g in zip(place.unbind(1), colour.unbind(1), strict=True)
        ]
    ).argmin(0)
    rows = torch.arange(len(x), device=x.device)
    return place[rows, which].float(), middle + colour[rows, which].to(x)


def _likeliest(y: Tensor, m: Tensor, room: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, K, 2) and the colours (B, K, C, 1, 1) that fit best there, within +- room."""
    (batch, channels, height, width), size = y.shape, m.shape[-2:]
    variance = m.square() * y.square().mean((1, 2, 3))[:, None, None] + ROUNDING**2
    weights = torch.fft.rfft2(torch.stack([1 / variance, variance.log()], 1)).conj()
    lags = (torch.arange(-1, side, device=y.device) - side + whole for side, whole in zip((height, width), size, strict=True))
    rows, columns = lags

    def correlated(a: Tensor, kernel: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(a, size) * kernel, size)[..., rows[:, None], columns]

    weight, offset = correlated(torch.ones_like(y[:, :1]), weights).split(1, 1)
    first, second = (correlated(a, weights[:, :1]) for a in (y, y.square()))
    colour = torch.maximum(torch.minimum(first / weight, room), -room)
    loss = (second - 2 * colour * first + colour.square() * weight).mean(1) + offset[:, 0]
    best = loss.flatten(1).topk(min(PLACES, loss[0].numel()), largest=False).indices
    chosen = colour.flatten(2).gather(2, best[:, None].expand(-1, channels, -1)).transpose(1, 2)
    place = torch.stack([best // (width + 1) - 1, best % (width + 1) - 1], 2)
    return place, chosen.reshape(batch, -1, channels, 1, 1)


def _placed(m: Tensor, yx: Tensor, x: Tensor) -> Tensor:
    """The profile around yx (B, 2), for images of the size of x: (B, 1, H, W)."""
    height, width = x.shape[-2:]
    rows = height - yx[:, :1] + torch.arange(height, device=x.device)
    columns = width - yx[:, 1:] + torch.arange(width, device=x.device)
    return m[torch.arange(len(x), device=x.device)[:, None, None], rows[:, :, None], columns[:, None, :]][:, None].to(x)


def _edges(y: Tensor, m: Tensor) -> Tensor:
    """-log p (B,) of the differences of neighbours in y/m."""
    undone, total = y / m, torch.zeros(len(y), device=y.device)
    for axis in (2, 3):
        last = y.shape[axis] - 1
        share = torch.minimum(m.narrow(axis, 0, last), m.narrow(axis, 1, last)).square()
        noise = share * SMOOTH**2 + 2 * ROUNDING**2
        difference = undone.diff(dim=axis).square().mean(1, keepdim=True)
        total = total + (2 * (noise + share * difference).log() - noise.log()).sum((1, 2, 3))
    return total
