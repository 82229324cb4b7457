from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from degrade import OPERATORS, GaussianBlur, GaussianMask, GaussianPrior, ImageMixing, IteratedBlur, Pixelate, ThumbnailPrior
from degrade.random import seeded, seeds
from degrade.tree import tree_leaves


def test_gaussian_prior_is_its_own_latent():
    start = GaussianPrior().sample((2, 3, 4, 5), seeded(0))
    assert torch.equal(start.x, start.latent[0])


def test_thumbnail_prior_has_the_moments_of_its_images():
    """Mean and covariance of 4000 thumbnails, within 5 standard errors (covariance: of a Gaussian)."""
    images = torch.randn(50, 2, 8, 8, generator=seeded(0)) * torch.linspace(0.2, 1, 8) + 0.3
    prior = ThumbnailPrior.fit(images, (1, 1))
    small = images.mean((-1, -2))
    drawn = prior.sample((4000, 2, 1, 1), seeded(1)).x[..., 0, 0]
    covariance = torch.cov(small.T)
    assert ((drawn.mean(0) - small.mean(0)).abs() < 5 * (covariance.diag() / 4000).sqrt()).all()
    error = (covariance.square() + covariance.diag()[:, None] * covariance.diag()).div(4000).sqrt()
    assert ((torch.cov(drawn.T) - covariance).abs() < 5 * error + 1e-5).all()


def test_thumbnail_prior_of_one_image_is_that_image_blurred():
    image = torch.rand(1, 3, 32, 32, generator=seeded(2)).cumsum(-1) / 20 - 0.5
    prior = GaussianBlur(4.0).prior(image)
    assert prior.means.shape == (1, 3, 4, 4)
    x = prior.sample((1, 3, 32, 32), seeded(3)).x
    blurred = GaussianBlur(4.0)(image, torch.ones(1))
    assert (x - blurred).square().mean().sqrt() < 0.1 * image.std()


def natural(count: int, side: int) -> torch.Tensor:
    """Images (count, 3, side, side) whose amplitude falls like 1/f, as photographs' does, not periodic."""
    rng = np.random.default_rng(0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(2 * side), np.fft.fftfreq(2 * side)))
    f[0, 0] = 1 / (4 * side)
    fields = np.fft.ifft2(np.fft.fft2(rng.standard_normal((count, 3, 2 * side, 2 * side))) / f).real[..., :side, :side]
    return torch.from_numpy(fields / fields.std() / 2).float()


@pytest.mark.parametrize(
    "operator",
    [
        *(GaussianBlur(sigma) for sigma in (1.5, 3.0, 5.0, 12.0, 20.0, 30.0)),
        *(GaussianBlur(sigma, "circular") for sigma in (3.0, 8.0)),
        IteratedBlur(50, 11, "linear", 0.35, 0.01, "reflect"),
        IteratedBlur(20, 11, "linear", 7.0, 0.0, "reflect"),
        IteratedBlur(20, 11, "linear", 7.0, 0.0, "circular"),
        Pixelate(2),
        Pixelate(3, "area"),
    ],
    ids=str,
)
def test_starts_have_the_statistics_of_degraded_images(operator):
    """The standard deviation within an image, and of a pixel over the set, within 5%; the mean within 5 standard errors."""
    images = natural(60, 40)
    real = operator(images, torch.ones(60))
    drawn = replace(operator.prior(images), noise=0.0).sample((600, 3, 40, 40), seeded(1)).x
    within, over = ([x.var(dims).mean().sqrt() for x in (drawn, real)] for dims in ((-2, -1), 0))
    assert abs(within[0] / within[1] - 1) < 0.05 and abs(over[0] / over[1] - 1) < 0.05
    levels = real.mean((-2, -1))
    error = drawn.mean((0, 2, 3)) - levels.mean(0)
    assert (error.abs() < 5 * levels.std(0) / 600**0.5).all()


@pytest.mark.parametrize(("enlarge", "grid"), [("bicubic", (3, 5)), ("nearest-exact", (4, 3)), ("bicubic", (1, 1))])
def test_a_thumbnail_is_the_nearest_by_least_squares(enlarge, grid):
    """Against numpy's lstsq over the enlargements of all thumbnails with one pixel set."""
    image = torch.rand(1, 1, 11, 13, generator=seeded(2))
    units = torch.eye(grid[0] * grid[1]).reshape(-1, 1, *grid)
    corners = False if enlarge == "bicubic" else None
    basis = torch.nn.functional.interpolate(units, (11, 13), mode=enlarge, align_corners=corners).flatten(1)
    expected = np.linalg.lstsq(basis.T.double().numpy(), image.flatten().double().numpy(), rcond=None)[0]
    found = ThumbnailPrior.fit(image, grid, enlarge=enlarge).means
    np.testing.assert_allclose(found.flatten(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("blur", "sigma", "cells"),
    [
        (IteratedBlur(), 39.3, 2),
        (IteratedBlur(20, 11, "linear", 7.0, 0.0), 13.6, 5),
        (IteratedBlur(20, 5, "linear", 7.0, 0.0), 6.3, 10),
    ],
    ids=str,
)
def test_cells_are_as_wide_as_the_blur(blur, sigma, cells):
    """The width of the kernels as they are, cut: the second moment of their convolution."""
    whole = np.ones(1)
    for kernel in blur.kernels().numpy():
        whole = np.convolve(whole, kernel)
    offset = np.arange(len(whole)) - len(whole) // 2
    assert abs((whole * offset**2).sum() ** 0.5 - sigma) < 0.05
    assert blur.prior(torch.rand(2, 1, 128, 128, generator=seeded(0))).means.shape == (1, 1, cells, cells)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("operator", [operator() for operator in OPERATORS], ids=str)
def test_starts_are_float32_whatever_the_images(operator, dtype):
    start = operator.prior(torch.rand(3, 3, 12, 9).to(dtype)).sample((2, 3, 20, 9), seeds(0, 2))
    assert start.x.dtype == torch.float32 and start.x.isfinite().all()
    assert all(z.dtype == torch.float32 for z in tree_leaves(start.latent))


def test_pixelated_prior_repeats_its_pixels():
    images = torch.rand(5, 2, 16, 24, generator=seeded(7)) * 2 - 1
    prior = replace(Pixelate(2, "area").prior(images), noise=0.0)
    x = prior.sample((3, 2, 16, 24), seeded(8)).x
    torch.testing.assert_close(Pixelate(2, "area")(x, torch.full((3,), 1.0)), x, rtol=0, atol=1e-6)


def test_without_noise_a_colour_prior_gives_flat_images():
    prior = replace(ThumbnailPrior.fit(torch.rand(6, 3, 8, 8, generator=seeded(9)), (1, 1), 2), noise=0.0)
    x = prior.sample((4, 3, 16, 16), seeded(1)).x
    assert (x - x[..., :1, :1]).abs().max() < 1e-6 and not torch.equal(x[0], x[1])


def test_mask_prior_leaves_the_surroundings():
    images = torch.rand(3, 1, 40, 40, generator=seeded(4)) * 2 - 1
    start = GaussianMask(steps=5, std=0.5).prior(images).sample((8, 1, 40, 40), seeds(0, 8))
    agree = (start.x[:, None] - images).abs().flatten(2).lt(1e-6).float().mean(-1).amax(1)
    assert (agree > 0.5).all()


def test_mixing_prior_starts_at_an_image_of_the_set():
    images = torch.rand(3, 1, 8, 8, generator=seeded(5))
    start = ImageMixing().prior(images).sample((5, 1, 8, 8), seeds(0, 5))
    assert all(any(torch.equal(x, image) for image in images) for x in start.x) and torch.equal(start.x, start.latent[0])


def test_larger_than_the_images(monkeypatch):
    """Crops of the enlarged set, of which only what was drawn is enlarged."""
    images = torch.rand(40, 3, 8, 6, generator=seeded(6))
    enlarged = torch.nn.functional.interpolate(images, (41, 31), mode="bicubic", align_corners=False)
    counts = []
    plain = torch.nn.functional.interpolate
    monkeypatch.setattr(torch.nn.functional, "interpolate", lambda x, *a, **b: counts.append(len(x)) or plain(x, *a, **b))
    x = ImageMixing().prior(images).sample((3, 3, 20, 31), seeds(0, 3)).x
    for image in x:
        assert any(torch.equal(image, y[:, top : top + 20]) for y in enlarged for top in range(22))
    assert sum(counts) <= 3


@pytest.mark.parametrize("operator", [GaussianBlur(), GaussianMask(), ImageMixing()], ids=str)
def test_wrong_channels(operator):
    with pytest.raises(ValueError, match="channels"):
        operator.prior(torch.rand(2, 3, 8, 8)).sample((1, 1, 8, 8))
