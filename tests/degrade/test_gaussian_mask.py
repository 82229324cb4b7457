from __future__ import annotations

import itertools

import pytest
import torch

from degrade import GaussianMask
from degrade.random import seeded


def product(height: int, width: int, centre, mask: GaussianMask, steps: int) -> torch.Tensor:
    """The definition: one mask after the other."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    squared = (y - centre[0]).square() + (x - centre[1]).square()
    m = torch.ones_like(squared)
    for i in range(steps):
        m = m * (1 - torch.exp(-squared / (2 * (mask.std * (i + mask.first)) ** 2)))
    return m


@pytest.mark.parametrize(
    "mask", [GaussianMask(), GaussianMask(steps=50, std=0.1), GaussianMask(steps=10, std=1.0, first=3)], ids=str
)
def test_equals_the_product_of_masks(mask):
    x0 = torch.ones(3, 1, 19, 30)
    centre = torch.tensor([[3.0, 4.0], [18.0, 0.0], [-1.0, 29.0]])
    hole = (centre, torch.zeros(3, 1, 1, 1))
    for s in (1, mask.steps // 2, mask.steps):
        t = torch.full((3,), s / mask.steps)
        expected = torch.stack([product(19, 30, c.tolist(), mask, s) for c in centre])[:, None].float()
        torch.testing.assert_close(mask(x0, t, hole), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("mask", [GaussianMask(), GaussianMask(reverse=True)], ids=str)
def test_falls_with_severity(mask):
    x0 = torch.ones(1, 1, 16, 16)
    hole = (torch.tensor([[8.0, 8.0]]), torch.zeros(1, 1, 1, 1))
    left = [mask(x0, torch.tensor([t]), hole).mean() for t in torch.linspace(0, 1, 40)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(left)) and left[-1] < left[20] < left[0]


def test_colour():
    x0 = torch.zeros(1, 3, 9, 9)
    mask = GaussianMask(centre="middle", colour=(0.5, -0.5, 0.25))
    x_t = mask(x0, torch.ones(1), mask.draw(x0))
    assert x_t[0, :, 3, 3].tolist() == [0.5, -0.5, 0.25]


def test_colours_are_spread():
    """Uniform within +- spread: mean and standard deviation of 4000 draws, within 5 standard errors."""
    fill = GaussianMask(colour=(0.1,), spread=0.5).draw(torch.zeros(4000, 2, 3, 3), seeded(0)).fill
    assert fill.shape == (4000, 2, 1, 1) and fill.min() >= -0.4 and fill.max() <= 0.6
    std = 0.5 / 3**0.5
    assert ((fill.mean(0) - 0.1).abs() < 5 * std / 4000**0.5).all()
    assert ((fill.std(0) - std).abs() < 5 * std / 4000**0.5).all()


def test_reversed_ends_in_the_colour():
    x0 = torch.rand(3, 3, 20, 16)
    mask = GaussianMask(750, 0.05, 1, "middle", spread=0.5, reverse=True)
    hole = mask.draw(x0, seeded(1))
    assert torch.equal(mask(x0, torch.ones(3), hole), hole.fill.expand_as(x0))
    start = mask.prior(x0).sample((2, 3, 8, 9), seeded(2))
    assert torch.equal(start.x, start.latent.fill.expand(-1, -1, 8, 9))


def test_centres():
    x0 = torch.zeros(4000, 1, 4, 6)
    middle = GaussianMask(centre="middle").draw(x0).yx
    assert (middle == torch.tensor([1.0, 2.0])).all()
    yx = GaussianMask().draw(x0, seeded(0)).yx
    for side, column in ((4, yx[:, 0]), (6, yx[:, 1])):
        values, counts = column.unique(return_counts=True)
        assert values.tolist() == list(range(-1, side))  # each place, as published
        expected = len(x0) / (side + 1)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()  # 5 standard deviations


@pytest.mark.parametrize("settings", [{"steps": 0}, {"std": 0.0}, {"first": 0}, {"colour": ()}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="GaussianMask needs"):
        GaussianMask(**settings)
