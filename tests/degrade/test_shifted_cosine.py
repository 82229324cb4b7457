"""simple diffusion's schedule: closed form, k-diffusion's numbers, inverse, and what its shift is for."""

from __future__ import annotations

import json
import math

import pytest
import torch

from degrade import GaussianNoise, ShiftedCosine, seeded
from tests.reference import GOLDEN

T = torch.linspace(0.001, 1, 321, dtype=torch.float64)
VARIANTS = [
    ShiftedCosine(),
    ShiftedCosine(256),
    ShiftedCosine(16, fixed_ends=False),
    ShiftedCosine(512, clean=32, noisy=256),
    ShiftedCosine(512, clean=256, noisy=32),
    ShiftedCosine(512, clean=32, noisy=256, fixed_ends=False),
    ShiftedCosine(128, clean=64, noisy=32, lowest=-10, highest=9),
]
CASES = json.loads((GOLDEN / "kdiffusion_cosine.json").read_text())["cases"]


def test_plain_cosine_is_an_angle():
    """alpha = cos, sigma = sin of an angle that grows evenly between the ends."""
    start, end = math.atan(math.exp(-7.5)), math.atan(math.exp(7.5))
    alpha, sigma = ShiftedCosine().coefficients(T)
    angle = start + T * (end - start)
    torch.testing.assert_close(alpha, angle.cos(), rtol=0, atol=1e-12)
    torch.testing.assert_close(sigma, angle.sin(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['image_d']}-{case['noise_d_low']}-{case['noise_d_high']}")
def test_published_formula(case):
    """k-diffusion's sigma at 33 times: it keeps the ends, its time runs from noise to image, with noise_d_low at the noise."""
    lowest, highest = (-2 * math.log(case[name]) for name in ("max_value", "min_value"))
    schedule = ShiftedCosine(case["image_d"], case["noise_d_high"], case["noise_d_low"], lowest, highest)
    ours = schedule.logsnr(torch.linspace(0, 1, 33, dtype=torch.float64)[1:])
    theirs = -2 * torch.tensor(case["sigma"], dtype=torch.float64).flip(0)[1:].log()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_ends_are_fixed_or_shifted():
    first, last = torch.tensor([1e-12], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for reference in (32, 256):
        fixed = ShiftedCosine(64, reference, reference)
        free = ShiftedCosine(64, reference, reference, fixed_ends=False)
        shift = 2 * math.log(reference / 64)
        for t, end in ((first, 15.0), (last, -15.0)):
            torch.testing.assert_close(fixed.logsnr(t), torch.tensor([end]).double(), rtol=0, atol=1e-5)
            torch.testing.assert_close(free.logsnr(t), torch.tensor([end + shift]).double(), rtol=0, atol=1e-5)
        torch.testing.assert_close(free.logsnr(T), ShiftedCosine().logsnr(T) + shift, rtol=0, atol=1e-10)


def test_interpolation_goes_from_clean_to_noisy():
    schedule = ShiftedCosine(512, clean=32, noisy=256)
    clean, noisy = ShiftedCosine(512, 32, 32), ShiftedCosine(512, 256, 256)
    expected = (1 - T) * clean.logsnr(T) + T * noisy.logsnr(T)
    torch.testing.assert_close(schedule.logsnr(T), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("schedule", VARIANTS, ids=str)
def test_inverse(schedule):
    torch.testing.assert_close(schedule.time(schedule.logsnr(T)), T, rtol=0, atol=1e-11)
    logsnr = torch.linspace(-8, 8, 101, dtype=torch.float64)
    torch.testing.assert_close(schedule.logsnr(schedule.time(logsnr)), logsnr, rtol=0, atol=1e-9)


@pytest.mark.parametrize("schedule", VARIANTS, ids=str)
def test_derivatives(schedule):
    t = T[:-1].clone().requires_grad_()
    for value, slope in zip(schedule.coefficients(t), schedule.derivatives(t.detach()), strict=True):
        (expected,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
        torch.testing.assert_close(slope, expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("schedule", VARIANTS, ids=str)
def test_variance_preserving_and_clean_at_zero(schedule):
    alpha, sigma = schedule.coefficients(torch.cat([torch.zeros(1).double(), T]))
    assert alpha[0] == 1 and sigma[0] == 0
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones_like(alpha), rtol=0, atol=1e-14)


@pytest.mark.parametrize("t", [0.2, 0.5, 0.8])
def test_shift_undoes_averaging(t):
    """An image of 4r pixels under the schedule shifted to r, averaged over 4 x 4 pixels, is as noisy as one of r under the
    plain one: its variance lies in the 99.9% confidence interval (chi-squared with as many degrees as there are values)."""
    r, factor = 64, 4
    x0 = torch.rand((1, 3, r, r), generator=seeded(0)).mul(2).sub(1).double()
    large = x0.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    shifted = GaussianNoise(ShiftedCosine(factor * r, r, r, fixed_ends=False))
    at = torch.tensor([t])
    averaged = torch.nn.functional.avg_pool2d(shifted(large, at, shifted.draw(large, seeded(1))), factor)
    alpha, _ = shifted.coefficients(at.double())
    noise_to_signal = float(((averaged / alpha - x0).square()).mean())
    expected = math.exp(-float(ShiftedCosine().logsnr(at.double())))
    half_width = 3.2905 * math.sqrt(2 / x0.numel())  # normal approximation of chi-squared with 12288 degrees
    assert abs(noise_to_signal / expected - 1) < half_width
    unshifted = GaussianNoise(ShiftedCosine())
    averaged = torch.nn.functional.avg_pool2d(unshifted(large, at, unshifted.draw(large, seeded(1))), factor)
    noise_to_signal = float(((averaged / unshifted.coefficients(at.double())[0] - x0).square()).mean())
    assert noise_to_signal / expected < 0.1  # the check can fail: without the shift there is a sixteenth of the noise


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ShiftedCosine(0), "sizes are in pixels"),
        (lambda: ShiftedCosine(lowest=15, highest=-15), "log-SNR goes from"),
        (lambda: ShiftedCosine(512, clean=1, noisy=4096), "does not fall all the way"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
