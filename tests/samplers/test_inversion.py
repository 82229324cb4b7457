"""Inversion: there and back again."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMInverseScheduler

from degrade import Cosine, GaussianBlur, GaussianNoise, ImageMixing, LinearBeta, RectifiedFlow, State, seeded
from restore import Restorer
from samplers import DDIM, Spaced, invert, sample, uniform
from tests.exact import GaussianData
from tests.reference import noise, toy_eps

X = torch.randn(4, 2, 5, 6, generator=seeded(1), dtype=torch.float64)


def there_and_back(restore, degradation, times, iterations) -> float:
    start = invert(restore, degradation, X, times.flip(0), iterations)
    return float((sample(DDIM(), restore, degradation, start, times) - X).abs().max())


@pytest.mark.parametrize(
    "degradation", [GaussianNoise(Cosine()), GaussianNoise(RectifiedFlow()), ImageMixing(LinearBeta())], ids=str
)
def test_round_trip(degradation):
    """The error falls with the steps (of first order), and with fixed-point iterations at a few steps to 1e-6."""
    restore = GaussianData(GaussianNoise(degradation.schedule), 0.3, 0.6).restore
    few, many = (there_and_back(restore, degradation, uniform(steps, 0.9), 0) for steps in (10, 40))
    assert many < 0.4 * few
    exact = [there_and_back(restore, degradation, uniform(10, 0.9), iterations) for iterations in (3, 40)]
    assert exact[1] < 1e-6 and exact[1] < exact[0] < few


def test_as_diffusers_inverts():
    """Its levels, at which it asks the network too, are those that its DDIM walks through: 1e-5."""
    degradation = GaussianNoise(LinearBeta())
    scheduler = DDIMInverseScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(20)
    x = expected = noise((2, 3, 8, 12))
    for k in scheduler.timesteps:
        expected = scheduler.step(toy_eps(expected, int(k)), k, expected).prev_sample
    restore = Restorer(lambda x, t: toy_eps(x, round(float(t[0]) * 1000) - 1), degradation, "eps")
    times = torch.tensor([(int(k) + 1) / 1000 for k in scheduler.timesteps], dtype=torch.float64)
    found = invert(restore, degradation, x, torch.cat([torch.zeros(1), times])).x
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert times.tolist() == Spaced().times(20, 1.0, degradation)[:-1].flip(0).tolist()


def test_what_cannot_be_inverted():
    for degradation, times, message in (
        (GaussianBlur(), uniform(3).flip(0), "needs an affine degradation, noise or mixing; GaussianBlur is not"),
        (GaussianNoise(), uniform(3), "times of an inversion rise"),
    ):
        with pytest.raises(ValueError, match=message):
            invert(lambda x, t: x, degradation, X, times)
    assert isinstance(invert(lambda x, t: x, GaussianNoise(), X, uniform(3).flip(0)), State)
