from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from degrade import GaussianMask
from degrade.gaussian_mask import _products
from degrade.random import seeded


def product(height: int, width: int, centre, mask: GaussianMask, steps: int) -> np.ndarray:
    """The definition: one mask after the other."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    squared = (y - centre[0]) ** 2 + (x - centre[1]) ** 2
    m = np.ones_like(squared)
    for i in range(steps):
        m *= 1 - np.exp(-squared / (2 * (mask.std * (i + mask.first)) ** 2))
    return m


@pytest.mark.parametrize(
    "mask",
    [
        GaussianMask(),
        GaussianMask(steps=50, std=0.1),
        GaussianMask(steps=10, std=1.0, first=3),
        GaussianMask(steps=1, std=20.0),
        GaussianMask(steps=750, std=0.05),
        GaussianMask(steps=750, std=0.05, reverse=True),
        GaussianMask(steps=2000, std=0.01, first=2),
    ],
    ids=str,
)
def test_equals_the_product_of_masks(mask):
    """Within 1e-6, near and far, and for centres between pixels."""
    height, width, centres = 19, 140, [[3.0, 4.0], [18.0, 0.0], [-1.0, 139.0], [4.5, 3.25], [7.015625, 8.0]]
    x0, count = torch.ones(5, 1, height, width), len(centres)
    hole = (torch.tensor(centres), torch.zeros(count, 1, 1, 1))
    for s in {1, mask.steps // 2, mask.steps} - {0}:
        masks = mask.steps - s if mask.reverse else s
        expected = np.stack([product(height, width, centre, mask, masks) for centre in centres])[:, None]
        found = mask(x0, torch.full((count,), s / mask.steps), hole)
        np.testing.assert_allclose(found, 1 - expected if mask.reverse else expected, rtol=0, atol=1e-6)


def test_one_table_for_all_sizes():
    """Of at most 32 MiB, whatever the number of masks; only one is kept."""
    for mask, most in [(GaussianMask(), 0.2), (GaussianMask(750, 0.05, reverse=True), 2), (GaussianMask(10_000), 32)]:
        _products.cache_clear()
        for size in (1, 20, 33, 300):
            x0 = torch.zeros(1, 1, size, size + 1)
            mask(x0, torch.full((1,), 0.7), mask.draw(x0, seeded(0)))
        assert _products.cache_info()[1:] == (1, 1, 1)  # misses, tables at most, tables kept
        assert _products(mask.steps, mask.first, x0.device).nbytes < most * 2**20


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_the_hole_is_on_its_pixel_whatever_the_dtype(dtype):
    """Centres up to 511 px are whole numbers for every dtype of the images (bfloat16 has none between 510 and 512)."""
    x0 = torch.zeros(50, 1, 512, 1)
    mask = GaussianMask(steps=5, std=0.1)
    exact, found = mask.draw(x0, seeded(0)), mask.draw(x0.to(dtype), seeded(0))
    assert torch.equal(exact.yx, found.yx)
    t = torch.full((50,), 1.0)
    assert torch.equal(mask.mask(x0, t, exact), mask.mask(x0.to(dtype), t, found))


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
