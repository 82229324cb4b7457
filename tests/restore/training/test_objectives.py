"""Weights of severities: what they integrate to, and that no severity, however small, breaks them."""

from __future__ import annotations

import math

import pytest
import torch

from degrade import SCHEDULES, CosineBeta, GaussianMask, GaussianNoise, ImageMixing, LinearBeta, ShiftedCosine, seeded
from restore import Objective, Restorer
from restore.training.objectives import FLOOR

TINY = torch.tensor([2.0**-24, 2.0**-23, 3 * 2.0**-24, 1e-6, 1.0])
"""The least severity that training draws, its neighbours, and the greatest."""


def zeros(x, t):
    return torch.zeros_like(x)


@pytest.mark.parametrize("schedule", [LinearBeta(100), CosineBeta(50), ShiftedCosine(), ShiftedCosine(256, 32, 128)], ids=str)
def test_the_sigmoid_loss_depends_on_the_ends_of_a_schedule_only(schedule):
    """For an error of the noise of 1: 1/2 the integral of sigmoid(bias - logsnr), closed form, within 1e-3."""
    count, bias = 100_000, -1.0
    t = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    one = torch.ones(count, 1, 1, 1, dtype=torch.float64)
    restorer = Restorer(zeros, GaussianNoise(schedule), "eps", "float32")
    loss = Objective(weight="sigmoid", bias=bias)(restorer, 0.3 * one, t, (one,)).mean()
    clean, noisy = schedule.logsnr(torch.tensor([1e-9, 1.0])).tolist()
    softplus = [math.log1p(math.exp(bias - logsnr)) for logsnr in (noisy, clean)]
    assert float(loss) == pytest.approx((softplus[0] - softplus[1]) / 2, rel=1e-3)


@pytest.mark.parametrize("weight", ["eps", "min-snr", "sigmoid"])
def test_l1_takes_the_root_of_the_weight(weight):
    """An error of the same size in every pixel has the same weighted error, squared or not."""
    t = torch.linspace(0.01, 1, 50)
    one = torch.ones(50, 1, 2, 2, dtype=torch.float64)
    restorer = Restorer(zeros, GaussianNoise(), "eps", "float32")
    square, absolute = (Objective(loss, weight)(restorer, 0.3 * one, t, (-2 * one,)) for loss in ("mse", "l1"))
    torch.testing.assert_close(absolute.square(), square, rtol=1e-9, atol=0)


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("prediction", ["residual", "x0"])
def test_relative_errors(loss, prediction):
    """Of a restorer that gives half of what is missing: a half, or its square; a picture that lost nothing has 0."""
    x0 = torch.rand(6, 3, 24, 24, generator=seeded(0), dtype=torch.float64) * 2 - 1
    t, operator = torch.tensor([0.2, 0.3, 0.5, 0.7, 0.9, 1.0]), GaussianMask(50, 0.2)
    hole = operator.draw(x0, seeded(1))
    x_t = operator(x0, t, hole)
    half = (x0 - x_t) / 2 if prediction == "residual" else (x0 + x_t) / 2
    value = Objective(loss, "relative")(Restorer(lambda x, t: half, operator, prediction, "float32"), x0, t, hole)
    missing = (x0 - x_t).abs().pow(2 if loss == "mse" else 1).mean((1, 2, 3))
    torch.testing.assert_close(value, (0.25 if loss == "mse" else 0.5) * missing / (missing + FLOOR))
    grey = torch.zeros_like(x0)
    assert not bool(Objective(loss, "relative")(Restorer(zeros, operator, "residual", "float32"), grey, t, hole).any())


@pytest.mark.parametrize("weight", ["uniform", "eps", "min-snr", "sigmoid", "relative"])
@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_losses_are_finite_at_the_smallest_severities(kind, loss, weight):
    """And so are their gradients, in float32, for every schedule, prediction and affine degradation."""
    x0 = torch.rand(len(TINY), 3, 4, 5, generator=seeded(0)) * 2 - 1
    for operator in (GaussianNoise(kind()), ImageMixing(kind())):
        predictions = ["x0", "residual", "v", "eps"] if operator.coefficients(torch.ones(1))[0] > 0 else ["x0", "residual", "v"]
        for prediction in predictions:
            scale = torch.tensor(0.9, requires_grad=True)
            restorer = Restorer(lambda x, t, scale=scale: scale * x, operator, prediction, "float32")
            value = Objective(loss, weight)(restorer, x0, TINY, operator.draw(x0, seeded(1)))
            value.mean().backward()
            assert value.isfinite().all() and scale.grad.isfinite(), f"{operator} {prediction}: {value.tolist()}"


@pytest.mark.parametrize("kind", SCHEDULES)
def test_targets_at_the_smallest_severities(kind):
    """They still restore: x0 = c_skip x_t + c_out target, in float32 within 1e-6."""
    x0 = torch.rand(len(TINY), 3, 4, 5, generator=seeded(0)) * 2 - 1
    operator = GaussianNoise(kind())
    x_t = operator(x0, TINY, operator.draw(x0, seeded(1)))
    for prediction in ("v", "eps") if operator.coefficients(torch.ones(1))[0] > 0 else ("v",):
        _, target, _ = Restorer(zeros, operator, prediction, "float32").output_and_target(x_t, x0, TINY)
        restored = Restorer(lambda x, t, target=target: target, operator, prediction, "float32")(x_t, TINY)
        torch.testing.assert_close(restored[:-1], x0[:-1], rtol=0, atol=1e-6)
