from __future__ import annotations

import math

import pytest
import torch

from degrade import SCHEDULES, Cosine, CosineBeta, LinearBeta, RectifiedFlow
from tests.reference import assert_golden, golden

every = pytest.mark.parametrize("schedule", [schedule() for schedule in SCHEDULES], ids=str)


def levels(steps: int, dtype=torch.float64) -> torch.Tensor:
    return (torch.arange(steps, dtype=dtype) + 1) / steps


@every
def test_clean_at_zero_and_falling(schedule):
    alpha, sigma = schedule.coefficients(torch.zeros(1))
    assert alpha == 1 and sigma == 0 and schedule.logsnr(torch.zeros(1)) == torch.inf
    logsnr = schedule.logsnr(torch.linspace(0, 1, 501))
    assert (logsnr.diff() < 0).all()


@every
def test_any_severity_above_zero_is_one(schedule):
    """sigma > 0 from t = 2^-60 on, rising, and falling towards 0 no faster than t; the same where t went through float32."""
    t = torch.cat([2.0 ** torch.arange(-60, -13, dtype=torch.float64), torch.tensor([1e-4])])
    _, sigma = schedule.coefficients(t)
    assert (sigma > 0).all() and (sigma.diff() > 0).all()
    assert (sigma >= 0.99 * sigma[-1] * t / 1e-4).all()
    torch.testing.assert_close(schedule.coefficients(t.float())[1], sigma, rtol=1e-6, atol=0)


@every
def test_derivatives(schedule):
    """Those of autograd, on no level of a discrete schedule; alpha falls and sigma rises."""
    t = torch.linspace(1e-3, 1 - 1e-3, 97, dtype=torch.float64) + 1e-5 * math.pi
    t.requires_grad_()
    for value, slope in zip(schedule.coefficients(t), schedule.derivatives(t.detach()), strict=True):
        (expected,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
        torch.testing.assert_close(slope, expected, rtol=1e-8, atol=0)
    falls, rises = schedule.derivatives(torch.tensor([2.0**-24, 0.5, 1.0]))
    assert (falls < 0).all() and (rises >= 0).all() and rises.isfinite().all()


@pytest.mark.parametrize("schedule", [LinearBeta(50), CosineBeta(30)], ids=str)
def test_derivatives_at_a_level_are_the_mean_of_the_steps_that_meet_there(schedule):
    """(log alpha)' = log(1 - beta_k) steps/2 within step k; at levels also where t went through float32; and at t -> 0."""
    slope = torch.log1p(-schedule.betas()) * schedule.steps / 2
    expected = torch.cat([(slope[:-1] + slope[1:]) / 2, slope[-1:]])
    for t in (levels(schedule.steps), levels(schedule.steps, torch.float32)):
        torch.testing.assert_close(schedule.derivatives(t)[0] / schedule.coefficients(t)[0], expected, rtol=1e-12, atol=0)
    first = torch.tensor([1e-12], dtype=torch.float64)
    torch.testing.assert_close(schedule.derivatives(first)[0], slope[:1], rtol=1e-9, atol=0)


@every
def test_inverse(schedule):
    t = torch.linspace(0.001, 0.999, 733, dtype=torch.float64)
    torch.testing.assert_close(schedule.time(schedule.logsnr(t)), t, rtol=0, atol=1e-11)


@pytest.mark.parametrize("schedule", [LinearBeta(), CosineBeta(), Cosine()], ids=str)
def test_variance_preserving(schedule):
    alpha, sigma = schedule.coefficients(torch.linspace(0, 1, 301, dtype=torch.float64))
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones_like(alpha), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (LinearBeta(1000), "alphas_cumprod"),
        (LinearBeta(100), "linear_alphas_cumprod_short"),
        (CosineBeta(100), "cosine_alphas_cumprod_short"),
    ],
)
def test_published_levels(schedule, name, dtype):
    """Exact on its own grid, also where t went through float32."""
    alpha, _ = schedule.coefficients(levels(schedule.steps, dtype))
    assert_golden(alpha.square(), name)


def test_published_betas():
    assert_golden(LinearBeta(1000).betas(), "betas")


@pytest.mark.parametrize("steps", [100, 128, 1000, 4000])
def test_continuous_cosine_is_the_discrete_one_without_its_bound(steps):
    """The published bound on beta touches the last step only."""
    t = levels(steps)[:-1]
    for ours, theirs in zip(Cosine().coefficients(t), CosineBeta(steps).coefficients(t), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_flow():
    t = torch.tensor([0.0, 0.25, 1.0])
    alpha, sigma = RectifiedFlow().coefficients(t)
    assert alpha.tolist() == [1.0, 0.75, 0.0] and sigma.tolist() == [0.0, 0.25, 1.0]


def test_respaced_betas():
    """1 - abar ratios of the kept levels are the published betas of the respaced process."""
    _, _, params = golden("ddim_betas")
    kept = golden("respace_1")[0]
    alpha, _ = LinearBeta(params["T"]).coefficients((kept.double() + 1) / params["T"])
    abar = alpha.square()
    assert_golden(abar, "ddim_alphas_cumprod")
    assert_golden(1 - abar / torch.cat([torch.ones(1), abar[:-1]]), "ddim_betas")


@pytest.mark.parametrize(("make", "message"), [(lambda: LinearBeta(20), "more than 20"), (lambda: CosineBeta(1), "at least 2")])
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
