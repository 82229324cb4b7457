"""What faded by a known profile is found and undone, whatever the profile, after rounding to 8 bits."""

from __future__ import annotations

import pytest
import torch

from degrade import GaussianMask
from degrade.fading import LEAST, ROUNDING, located, unfaded
from degrade.random import seeded


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    """Smooth shapes with a little texture, (N, 3, H, W) in [-1, 1]."""
    noise = [torch.randn(count, 3, height // k + 2, width // k + 2, generator=seeded(k)) for k in (12, 1)]
    smooth, fine = (torch.nn.functional.interpolate(x, (height, width), mode="bicubic") for x in noise)
    return (0.6 * smooth + 0.02 * fine + 0.1).clamp(-1, 1)


def rounded(x: torch.Tensor) -> torch.Tensor:
    return ((x + 1) * 127.5).round() / 127.5 - 1


@pytest.mark.parametrize(
    "mask",
    [
        GaussianMask(50, 0.2),
        GaussianMask(20, 0.4, colour=(-1.0, 0.5, 0.0)),
        GaussianMask(50, 0.2, colour=(0.2,), spread=0.3),
        GaussianMask(50, 0.2, centre="middle", spread=0.5),
        GaussianMask(60, 0.3, reverse=True),
    ],
    ids=str,
)
def test_holes_are_found_and_undone(mask):
    x0 = pictures(6, 37, 52)
    t = torch.tensor([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    hole = mask.draw(x0, seeded(1))
    hole = hole._replace(yx=hole.yx.clamp(min=3, max=33))
    x_t = rounded(mask(x0, t, hole))
    found = mask.read(x_t, t)
    off = (found.yx - hole.yx).abs().amax(1)
    sharp = not mask.spread and not mask.reverse  # else a pixel off, here and there
    assert float(off.max()) <= (0 if sharp else 1) and float((off == 0).float().mean()) >= 0.5
    assert float((found.fill - hole.fill).abs().max()) < (0.01 if mask.spread else 1e-6)
    undone, known = mask.undo(x_t, t, hole)
    assert 0 < float(known.mean()) < 1
    assert float((known * (undone - x0)).abs().max()) <= 1.01 / 255 / LEAST  # half a level of 8 bits, 1/255, made larger
    alone = mask.read(x_t[2:3], t[2:3])
    assert torch.equal(alone.yx, found.yx[2:3])


def test_any_profile():
    """A square with soft edges, that is no GaussianMask."""
    x0, places = pictures(4, 40, 31), torch.tensor([[-1, 4], [20, 17], [39, 30], [9, 25]])

    def profile(height: int, width: int, yx: torch.Tensor) -> torch.Tensor:
        y, x = (torch.arange(side) - yx[:, i, None] for i, side in enumerate((height, width)))
        return torch.maximum(y.abs()[:, :, None], x.abs()[:, None, :]).sub(6).div(8).clamp(0, 1)

    m = profile(40, 31, places)[:, None]
    colour = torch.tensor([0.3, -0.2, 0.9])
    x = rounded(m * x0 + (1 - m) * colour[:, None, None])
    around = profile(81, 63, torch.tensor([[40, 31]])).expand(4, -1, -1)
    yx, fill = located(x, around, colour, colour)
    assert torch.equal(yx, places.float())
    undone, known = unfaded(x, m, fill)
    assert torch.equal(known, (m >= LEAST).float())
    assert float((known * (undone - x0)).std()) < ROUNDING / LEAST
