"""How often which severity is trained on, against the distributions that the docstrings name."""

from __future__ import annotations

import math

import pytest
import torch

from restore import TIMES, Levels, LogitNormal, TimeSampling, Training, UniformTimes
from restore.training.trainer import severities

U = torch.arange(2**12) / 2**12
EVERY = [*(times() for times in TIMES), Levels(1), Levels(10**6), LogitNormal(-10.0, 10.0), LogitNormal(10.0, 10.0)]


@pytest.mark.parametrize("times", EVERY, ids=str)
def test_severities_lie_above_zero_and_up_to_one(times):
    """Also at the ends of what a step draws, 0 and 1 - 2^-24."""
    u = torch.cat([U, torch.tensor([1 - 2.0**-24])])
    t = times.severities(u)
    assert isinstance(times, TimeSampling) and t.dtype == torch.float32 and t.shape == u.shape
    assert bool((t > 0).all()) and bool((t <= 1).all())
    assert torch.equal(times.severities(u[5:6]), t[5:6])


def test_uniform_times():
    assert torch.equal(UniformTimes().severities(U), 1 - U)


def test_levels():
    """Each level as often as any other."""
    assert (Levels(8).severities(U) * 8).long().bincount().tolist() == [0, *[len(U) // 8] * 8]


@pytest.mark.parametrize("times", [LogitNormal(), LogitNormal(0.5, 0.6), LogitNormal(-0.5, 1.4)], ids=str)
def test_logit_normal_has_the_published_density(times):
    """The share of severities up to t is the integral of eq. 19,
    1/(s sqrt(2 pi)) 1/(t (1 - t)) exp(-(logit(t) - m)^2 / 2 s^2), within the spacing of u and the error of the sum (1e-3)."""
    grid = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    t = (grid[1:] + grid[:-1]) / 2
    density = torch.exp(-((torch.logit(t) - times.mean) ** 2) / (2 * times.std**2)) / (t * (1 - t) * times.std)
    integral = (density / math.sqrt(2 * math.pi)).cumsum(0) / len(t)
    found = times.severities(U).double().sort().values
    share = torch.searchsorted(found, grid[1:]) / len(U)
    torch.testing.assert_close(share.double(), integral, rtol=0, atol=1e-3)


def test_a_batch_is_spread_evenly_over_the_distribution():
    """The numbers of a step fill [0, 1) like a grid, so any distribution is covered: quantiles within .02."""
    t = LogitNormal().severities(severities(Training(batch=256), 3)).sort().values
    expected = LogitNormal().severities((torch.arange(256) + 0.5) / 256).sort().values
    assert float((t - expected).abs().max()) < 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Levels(0), "count of Levels is 1 to"),
        (lambda: LogitNormal(std=0.0), "std of LogitNormal is"),
        (lambda: LogitNormal(mean=math.nan), "mean of LogitNormal is"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
