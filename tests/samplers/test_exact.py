"""Samplers against the analytic answer for Gaussian data: exact moments, and the observed order of convergence."""

from __future__ import annotations

import math

import pytest
import torch

from degrade import Cosine, GaussianNoise, LinearBeta, RectifiedFlow, State
from degrade.random import seeded
from samplers import DDIM, DDPM, DPMSolver, Euler, Heun, LogSNRUniform, Midpoint, sample, uniform
from tests.exact import GaussianData

SCHEDULES = [LinearBeta(), Cosine(), RectifiedFlow()]


def observed_order(sampler, schedule, counts=(128, 256, 512)) -> float:
    """-d log(error) / d log(steps) from t = .9 to t = .1, in steps of equal log-SNR."""
    data = GaussianData(GaussianNoise(schedule))
    x = torch.linspace(-2, 2, 50, dtype=torch.float64).reshape(1, 1, 5, 10)
    t, s = torch.tensor([0.9], dtype=torch.float64), torch.tensor([0.1], dtype=torch.float64)
    exact = data.flow(x, t, s)
    errors = []
    for count in counts:
        times = LogSNRUniform(end=0.1).times(count + 1, 0.9, data.degradation)[:-1]
        times[-1] = 0.1
        walked = sample(sampler, data.restore, data.degradation, State(x, ()), times)
        errors.append(float((walked - exact).abs().max()))
    return math.log(errors[0] / errors[-1]) / math.log(counts[-1] / counts[0])


@pytest.mark.parametrize("schedule", [Cosine(), RectifiedFlow()], ids=str)
def test_order_of_ddim_is_one(schedule):
    assert 0.9 < observed_order(DDIM(), schedule) < 1.2


@pytest.mark.parametrize("schedule", [Cosine(), RectifiedFlow()], ids=str)
def test_order_of_dpm_solver_is_two(schedule):
    assert 1.8 < observed_order(DPMSolver(), schedule) < 2.3


@pytest.mark.parametrize("schedule", [Cosine(), RectifiedFlow()], ids=str)
@pytest.mark.parametrize(("sampler", "order"), [(Euler(), 1), (Heun(), 2), (Midpoint(), 2)], ids=str)
def test_orders_of_the_rules_for_the_flow(sampler, order, schedule):
    """At least: along a straight path the midpoint rule is of order 3 for this data."""
    assert order - 0.1 < observed_order(sampler, schedule) < (order + 0.3 if sampler != Midpoint() else 3.2)


@pytest.mark.parametrize("sampler", [Euler(), Heun(), Midpoint()], ids=str)
def test_an_oracle_is_reached_along_straight_paths(sampler, images):
    process, z = GaussianNoise(RectifiedFlow()), images.flip(-1)
    made = sample(sampler, lambda x, t: images, process, State(z, (z,)), uniform(3))
    torch.testing.assert_close(made, images, rtol=0, atol=1e-5)


def test_euler_is_ddim_along_straight_paths():
    data = GaussianData(GaussianNoise(RectifiedFlow()))
    x = torch.linspace(-2, 2, 50, dtype=torch.float64).reshape(1, 1, 5, 10)
    one, other = (sample(sampler, data.restore, data.degradation, State(x, ()), uniform(7)) for sampler in (Euler(), DDIM()))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize(("sampler", "steps", "atol"), [(DDIM(), 1000, 4e-3), (DPMSolver(), 50, 2e-2)], ids=str)
def test_walk_to_zero_reaches_the_flow(sampler, steps, atol, schedule):
    data = GaussianData(GaussianNoise(schedule))
    x = torch.linspace(-2, 2, 50, dtype=torch.float64).reshape(1, 1, 5, 10)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    walked = sample(sampler, data.restore, data.degradation, State(x, ()), uniform(steps))
    torch.testing.assert_close(walked, data.flow(x, one, zero), rtol=0, atol=atol)


def moments(data: GaussianData, variance: str, times: torch.Tensor) -> tuple[float, float]:
    """Mean and variance of x at the end of DDPM from a standard normal, by its linear recursion in plain numbers."""
    mean, var = 0.0, 1.0
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        (at, st), (as_, ss) = ([float(c) for c in data.degradation.coefficients(torch.tensor([u]).double())] for u in (t, s))
        ratio = at / as_
        added = st**2 - ratio**2 * ss**2
        gain = at * data.std**2 / (at**2 * data.std**2 + st**2)  # x0_hat = gain x + offset
        offset = data.mean - gain * at * data.mean
        slope = ratio * ss**2 / st**2 + as_ * added / st**2 * gain
        mean = slope * mean + as_ * added / st**2 * offset
        fresh = {"small": added * ss**2 / st**2, "large": added}[variance] if s > 0 else 0.0
        var = slope**2 * var + fresh
    return mean, var


@pytest.mark.parametrize("variance", ["small", "large"])
@pytest.mark.parametrize("schedule", [LinearBeta(), Cosine(), RectifiedFlow()], ids=str)
def test_moments_of_ddpm(variance, schedule):
    """Mean and variance of 200,000 draws within 5 standard errors of the recursion's."""
    times = uniform(20)
    data = GaussianData(GaussianNoise(schedule))
    n = 200_000
    x = torch.randn(8, 1, 100, n // 800, generator=seeded(0), dtype=torch.float64)
    walked = sample(DDPM(variance), data.restore, data.degradation, State(x, ()), times, generator=seeded(1))
    mean, var = moments(data, variance, times)
    assert abs(float(walked.mean()) - mean) < 5 * (var / n) ** 0.5
    assert abs(float(walked.var()) - var) < 5 * var * (2 / n) ** 0.5


def test_ddim_of_eta_one_is_ddpm():
    """The posterior's mean and variance: the same draws give the same images (1e-12)."""
    data = GaussianData(GaussianNoise(Cosine()))
    x = torch.randn(2, 1, 8, 8, generator=seeded(0), dtype=torch.float64)
    ddim, ddpm = (
        sample(sampler, data.restore, data.degradation, State(x, ()), uniform(30), generator=seeded(1))
        for sampler in (DDIM(1.0), DDPM("small"))
    )
    torch.testing.assert_close(ddim, ddpm, rtol=0, atol=1e-12)
