"""The betas of published models: diffusers' own, and the numbers of Stable Diffusion."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from degrade import Betas, CosineBeta, LinearBeta

NAMES = {"linear": "linear", "scaled-linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}


def levels(steps: int) -> torch.Tensor:
    return (torch.arange(steps, dtype=torch.float64) + 1) / steps


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("kind", NAMES)
def test_as_diffusers_computes_them(kind, zero_snr):
    """sqrt(abar) of all levels, to what its float32 products leave: 1e-5."""
    theirs = DDIMScheduler(
        beta_schedule=NAMES[kind], beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=zero_snr, num_train_timesteps=500
    ).alphas_cumprod.double()
    alpha, sigma = Betas(kind, steps=500, zero_snr=zero_snr).coefficients(levels(500))
    torch.testing.assert_close(alpha, theirs.sqrt(), rtol=0, atol=1e-5)
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones(500, dtype=torch.float64), rtol=0, atol=1e-14)
    assert (float(alpha[-1]) == 0) == zero_snr


def test_stable_diffusion():
    alpha, sigma = Betas().coefficients((torch.tensor([0, 1, 481, 981, 999]) + 1).double() / 1000)
    expected = (
        torch.tensor([0.99957, 0.99915, 0.54981, 0.07600, 0.06826]),
        torch.tensor([0.02915, 0.04128, 0.83529, 0.99711, 0.99767]),
    )
    for found, value in zip((alpha, sigma), expected, strict=True):
        torch.testing.assert_close(found, value.double(), rtol=0, atol=6e-6)


def test_the_schedules_by_name_are_among_them():
    for ours, other in ((Betas("linear", 1e-4, 0.02), LinearBeta()), (Betas("cosine", steps=50), CosineBeta(50))):
        torch.testing.assert_close(ours.betas(), other.betas(), rtol=0, atol=1e-15)


def test_between_the_last_levels_without_signal():
    """alpha is linear there: finite, falling to 0, and the log-SNR has its inverse."""
    schedule = Betas(steps=100, zero_snr=True)
    t = torch.linspace(0.9903, 0.9999, 7, dtype=torch.float64)
    slope = (schedule.coefficients(t + 1e-5)[0] - schedule.coefficients(t - 1e-5)[0]) / 2e-5
    torch.testing.assert_close(schedule.derivatives(t)[0], slope, rtol=1e-9, atol=0)
    torch.testing.assert_close(schedule.time(schedule.logsnr(t)), t, rtol=0, atol=1e-9)
    ends = torch.tensor([0.99, 1.0], dtype=torch.float64)
    assert schedule.coefficients(ends)[0][1] == 0 and schedule.time(schedule.logsnr(ends))[1] == 1
    assert all(bool(part.isfinite().all()) for part in (*schedule.coefficients(ends), *schedule.derivatives(ends)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": 0.0}, "first of Betas is"),
        ({"last": 1.5}, "last of Betas is"),
        ({"first": 0.5}, "betas rise, from first to last"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Betas(**settings)
