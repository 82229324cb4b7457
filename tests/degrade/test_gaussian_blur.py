from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from degrade import GaussianBlur
from degrade.random import seeded
from degrade.spectral import filter_axes, frequencies, gaussian_blur

PADDING = {"reflect": "reflect", "circular": "circular"}


def convolve(x: torch.Tensor, kernel: torch.Tensor, border: str) -> torch.Tensor:
    """Plain separable convolution, padded as torch pads."""
    half, channels = len(kernel) // 2, x.shape[1]
    for shape, pad in (((-1, 1), (0, 0, half, half)), ((1, -1), (half, half, 0, 0))):
        weight = kernel.reshape(1, 1, *shape).expand(channels, 1, -1, -1)
        x = F.conv2d(F.pad(x, pad, mode=border), weight, groups=channels)
    return x


@pytest.mark.parametrize("border", ["reflect", "circular"])
@pytest.mark.parametrize("size", [(32, 32), (31, 44), (45, 33)])
def test_equals_convolution(border, size):
    """Against a kernel of 8 sigma, sampled finely enough (sigma >= 1) to be Gaussian to 1e-6."""
    x = torch.rand(2, 3, *size, dtype=torch.float64, generator=seeded(0))
    sigma, reach = 1.6, 13
    kernel = torch.exp(-torch.arange(-reach, reach + 1, dtype=torch.float64).square() / (2 * sigma**2))
    blurred = GaussianBlur(sigma_max=3.2, border=border)(x, torch.full((2,), 0.5))
    torch.testing.assert_close(blurred, convolve(x, kernel / kernel.sum(), border), rtol=0, atol=1e-6)


@pytest.mark.parametrize("border", ["reflect", "circular"])
def test_any_filter_equals_its_convolution(border):
    """filter_axes with the transfer function of a 5-tap kernel is that kernel's convolution, for even and odd sides."""
    taps = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=torch.float64)

    def change(period):
        w = frequencies(period, torch.device("cpu"))
        return (0.4 * torch.cos(w) + 0.2 * torch.cos(2 * w) - 0.6)[None]

    for size in [(9, 12), (3, 5), (16, 7)]:
        x = torch.rand(1, 2, *size, dtype=torch.float64, generator=seeded(1))

        ours = filter_axes(x, change, border)
        torch.testing.assert_close(ours, convolve(x, taps, border), rtol=0, atol=1e-12)


@pytest.mark.parametrize("border", ["reflect", "circular"])
def test_semigroup(border, images):
    """Blurs compose: variances add."""
    blur = GaussianBlur(4.0, border)
    x = images.double()
    t, s = torch.tensor([0.1, 0.3, 0.5, 0.5]).double(), torch.tensor([0.2, 0.3, 0.7, 0.8]).double()
    twice = blur(blur(x, t), s)
    torch.testing.assert_close(twice, blur(x, (t.square() + s.square()).sqrt()), rtol=0, atol=1e-12)


def test_keeps_the_mean_and_flattens(images):
    x = GaussianBlur(1000.0, "circular")(images, torch.ones(len(images)))
    mean = images.mean((-1, -2), keepdim=True)
    torch.testing.assert_close(x, mean.expand_as(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_one_width_for_all(dtype, images):
    """A number is that number for each image, and 0 leaves the image as it is, bit for bit."""
    x = images.to(dtype)
    assert torch.equal(gaussian_blur(x, 2.5), GaussianBlur(5.0)(x, torch.full((4,), 0.5)))
    assert torch.equal(gaussian_blur(x, 2.5), gaussian_blur(x, torch.full((4,), 2.5)))
    assert torch.equal(gaussian_blur(x, 0.0), x)


def test_frames_are_blurred_each_by_itself(images):
    """Whatever lies between channels and H, the widths of a batch stay with its samples (1e-6)."""
    video, sigma = images[:, :, None].repeat(1, 1, 3, 1, 1), torch.tensor([0.5, 1.0, 2.0, 4.0])
    expected = gaussian_blur(images, sigma)[:, :, None].expand_as(video)
    torch.testing.assert_close(gaussian_blur(video, sigma), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_bad_width(sigma):
    with pytest.raises(ValueError, match="sigma_max"):
        GaussianBlur(sigma)
