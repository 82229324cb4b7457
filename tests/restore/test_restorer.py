"""Parametrisations and objectives, against their definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import pytest
import torch

from degrade import (
    SCHEDULES,
    Cosine,
    CosineBeta,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImageMixing,
    LinearBeta,
    RectifiedFlow,
    ShiftedCosine,
)
from degrade.random import seeded
from degrade.severity import per_sample
from restore import Objective, Restorer
from restore.parametrisation import DETAIL, Prediction

AFFINE = [GaussianNoise(LinearBeta()), GaussianNoise(Cosine()), GaussianNoise(RectifiedFlow()), ImageMixing()]
ANY = [*AFFINE, GaussianBlur(), GaussianMask()]
T = torch.tensor([0.05, 0.3, 0.7, 0.95])


def made(operator, images, prediction):
    """The x_t of double images, and a restorer whose network returns the true target."""
    x0 = images.double()
    latent = operator.draw(x0, seeded(0))
    x_t = operator(x0, T, latent)
    probe = Restorer(lambda x, t: torch.zeros_like(x), operator, prediction, "float32")
    _, target, _ = probe.output_and_target(x_t, x0, T)
    return x0, latent, x_t, target


@pytest.mark.parametrize("prediction", ["x0", "residual"])
@pytest.mark.parametrize("operator", ANY, ids=str)
def test_the_target_restores(operator, prediction, images):
    x0, _, x_t, target = made(operator, images, prediction)
    restore = Restorer(lambda x, t: target, operator, prediction, "float32")
    torch.testing.assert_close(restore(x_t, T), x0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("prediction", ["eps", "v", "velocity"])
@pytest.mark.parametrize("operator", AFFINE, ids=str)
def test_the_target_restores_affine(operator, prediction, images):
    if prediction == "eps" and not operator.coefficients(torch.ones(1))[0] > 0:
        return
    x0, _, x_t, target = made(operator, images, prediction)
    restore = Restorer(lambda x, t: target, operator, prediction, "float32")
    torch.testing.assert_close(restore(x_t, T), x0, rtol=0, atol=1e-9)


def test_what_is_missing(images):
    """The network sees x_t undone and filled, corrects what was filled, and nothing else; what it should say restores x0."""
    operator = GaussianMask(20, 0.4)
    x0, latent, x_t, target = made(operator, images, "missing")
    known = operator.undo(x_t, T, operator.read(x_t, T))[1]
    seen: list[torch.Tensor] = []

    def network(x, t):
        seen.append(x)
        return target + 7 * known

    restored = Restorer(network, operator, "missing", "float32")(x_t, T)
    assert 0 < known.mean() < 1 and not (target * known).any()
    torch.testing.assert_close(seen[0] + target, restored, rtol=0, atol=1e-12)
    right = (operator.read(x_t, T).yx == latent.yx).all(1)
    assert right[1:].all()  # at .05 the hole is a pixel
    torch.testing.assert_close(restored[right], x0[right], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="missing prediction needs a degradation that can be read off a picture.*Blur"):
        Restorer(network, GaussianBlur(), "missing")


def test_targets_are_what_they_are_called(images):
    operator = GaussianNoise(LinearBeta())
    for prediction in set(get_args(Prediction)) - {"missing"}:
        x0, (eps,), x_t, target = made(operator, images, prediction)
        alpha, sigma = (per_sample(c, x0) for c in operator.coefficients(T))
        alpha_slope, sigma_slope = (per_sample(c, x0) for c in operator.derivatives(T))
        expected = {"x0": x0, "residual": x0 - x_t, "eps": eps, "v": alpha * eps - sigma * x0}
        expected["velocity"] = alpha_slope * x0 + sigma_slope * eps
        expected["detail"] = x0 / DETAIL  # of a picture that is not told
        torch.testing.assert_close(target, expected[prediction], rtol=0, atol=1e-9)


@pytest.mark.parametrize("schedule", [schedule() for schedule in SCHEDULES], ids=str)
def test_velocity_is_the_derivative_of_x_t(schedule, images):
    """By central differences, for the x0 and the z that the target was made of, away from published levels (1e-6)."""
    operator, x0, h = GaussianNoise(schedule), images.double(), 1e-6
    t = torch.tensor([0.0503, 0.3004, 0.7006, 0.9493], dtype=torch.float64)
    latent = operator.draw(x0, seeded(0))
    restore = Restorer(lambda x, t: torch.zeros_like(x), operator, "velocity", "float32")
    _, velocity, _ = restore.output_and_target(operator(x0, t, latent), x0, t)
    difference = (operator(x0, t + h, latent) - operator(x0, t - h, latent)) / (2 * h)
    torch.testing.assert_close(velocity, difference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("schedule", [schedule() for schedule in SCHEDULES], ids=str)
def test_velocity_gives_x0_and_z_at_the_ends_too(schedule, images):
    """From t = 1e-6 to t = 1, where alpha or sigma, or the slope of one, vanishes or is large (1e-6)."""
    operator, x0 = GaussianNoise(schedule), images.double()
    t = torch.tensor([1e-6, 1e-3, 0.5, 1.0], dtype=torch.float64)
    (z,) = latent = operator.draw(x0, seeded(0))
    x_t = operator(x0, t, latent)
    alpha_slope, sigma_slope = (per_sample(c, x0) for c in operator.derivatives(t))
    restore = Restorer(lambda x, t: alpha_slope * x0 + sigma_slope * z, operator, "velocity", "float32")
    assert all(c.isfinite().all() for c in restore.triple(t))
    torch.testing.assert_close(restore(x_t, t), x0, rtol=0, atol=1e-6)
    (found,) = operator.estimate(x_t, restore(x_t, t), t)
    torch.testing.assert_close(found, z, rtol=0, atol=1e-6)


def test_velocity_of_rectified_flow_is_the_straight_path(images):
    operator = GaussianNoise(RectifiedFlow())
    x0, (z,), _, target = made(operator, images, "velocity")
    torch.testing.assert_close(target, z - x0, rtol=0, atol=1e-12)


@dataclass(frozen=True)
class Trigonometric:
    """alpha = cos(pi t/2), sigma = sin(pi t/2)."""

    def coefficients(self, t):
        angle = t.double() * (math.pi / 2)
        return angle.cos(), angle.sin()

    def derivatives(self, t):
        alpha, sigma = self.coefficients(t)
        return -math.pi / 2 * sigma, math.pi / 2 * alpha

    def logsnr(self, t):
        alpha, sigma = self.coefficients(t)
        return 2 * (alpha / sigma).log()

    def time(self, logsnr):
        return (-logsnr / 2).exp().atan() * (2 / math.pi)


def test_velocity_is_v_where_the_angle_is_even_in_t():
    """On the circle v is the derivative in the angle, pi t/2 here: c_skip is the same, c_out 2/pi times as large."""
    operator = GaussianNoise(Trigonometric())
    v, velocity = (Restorer(None, operator, prediction).triple(T) for prediction in ("v", "velocity"))
    torch.testing.assert_close(velocity[0], v[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(velocity[1], v[1] * (2 / math.pi), rtol=1e-12, atol=0)


@pytest.mark.parametrize("prediction", ["eps", "v", "velocity"])
def test_affine_only(prediction):
    with pytest.raises(ValueError, match="needs an affine degradation; GaussianBlur is not. Use prediction='x0'"):
        Restorer(lambda x, t: x, GaussianBlur(), prediction)


@pytest.mark.parametrize("schedule", [Cosine(), RectifiedFlow()], ids=str)
def test_eps_is_refused_where_alpha_vanishes(schedule):
    with pytest.raises(ValueError, match="divides by alpha, which is 0 at t = 1"):
        Restorer(lambda x, t: x, GaussianNoise(schedule), "eps")
    Restorer(lambda x, t: x, GaussianNoise(CosineBeta(100)), "eps")


def test_unknown_prediction():
    with pytest.raises(ValueError, match="prediction is one of"):
        Restorer(lambda x, t: x, GaussianBlur(), "epsilon")


def test_bfloat16_network_float32_result(images):
    seen = []
    network = torch.nn.Conv2d(2, 2, 1)

    def net(x, t):
        y = network(x)
        seen.append(y.dtype)
        return y

    with torch.no_grad():
        x0 = Restorer(net, GaussianNoise(), "v", "bfloat16")(images, T)
    assert seen == [torch.bfloat16] and x0.dtype == torch.float32


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_uniform_objective(loss, images):
    restore = Restorer(lambda x, t: torch.zeros_like(x), GaussianNoise(), "eps", "float32")
    eps = torch.randn(images.shape, generator=seeded(1))
    value = Objective(loss)(restore, images, T, (eps,))
    expected = (eps.square() if loss == "mse" else eps.abs()).flatten(1).mean(1)
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_network_takes_the_severity_in_float32(dtype, images):
    """Whatever the precision of the image, and the result has that of the image."""
    taken = []
    restore = Restorer(lambda x, t: taken.append(t) or x, GaussianNoise(), "eps", "float32")
    t = torch.tensor([0.9985, 0.9995, 0.25, 0.5])
    assert restore(images.to(dtype), t).dtype == dtype
    assert taken[0].dtype == torch.float32 and torch.equal(taken[0], t)


@pytest.mark.parametrize("weight", ["min-snr", "sigmoid"])
@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_weighted_loss_does_not_depend_on_the_prediction(weight, loss, images):
    """The same x0_hat has the same weighted loss, whatever the network predicts of it."""
    operator, guess = GaussianNoise(LinearBeta()), images.double().flip(0)
    latent = operator.draw(images.double(), seeded(2))
    x_t = operator(images.double(), T, latent)
    values = []
    for prediction in ("x0", "eps", "v", "velocity"):
        probe = Restorer(lambda x, t: torch.zeros_like(x), operator, prediction, "float32")
        _, output, _ = probe.output_and_target(x_t, guess, T)  # the output that means `guess`
        restore = Restorer(lambda x, t, output=output: output, operator, prediction, "float32")
        values.append(Objective(loss, weight)(restore, images.double(), T, latent))
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], rtol=1e-9, atol=0)


def test_published_weights(images):
    """min-SNR on eps is min(snr, gamma)/snr; sigmoid on eps is -1/2 d(log snr)/dt sigmoid(bias - log snr)."""
    operator = GaussianNoise(LinearBeta())
    restore = Restorer(lambda x, t: torch.zeros_like(x), operator, "eps", "float32")
    latent = operator.draw(images, seeded(3))
    alpha, sigma = operator.coefficients(T)
    snr = (alpha / sigma).square()
    level = (T.double() * 1000).round() / 1000
    before, after = level - 3e-7, (level + 3e-7).clamp(max=1)  # the steps that meet there
    pace = (operator.schedule.logsnr(before) - operator.schedule.logsnr(after)) / (after - before) / 2
    plain = Objective()(restore, images, T, latent).double()
    for objective, expected in [
        (Objective(weight="min-snr", gamma=5.0), snr.clamp(max=5.0) / snr),
        (Objective(weight="sigmoid", bias=-1.0), pace * torch.sigmoid(-1.0 - snr.log())),
    ]:
        torch.testing.assert_close(objective(restore, images, T, latent).double() / plain, expected, rtol=1e-5, atol=0)


def test_weights_need_an_snr(images):
    restore = Restorer(lambda x, t: x, GaussianBlur(), "x0", "float32")
    with pytest.raises(ValueError, match="GaussianBlur has none"):
        Objective(weight="min-snr")(restore, images, T, ())


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_loss_in_eps_space(prediction, loss, images):
    """weight="eps" is the plain objective of an eps network that restores alike, within 1e-9."""
    operator = GaussianNoise(ShiftedCosine(64))
    x0 = images.double()
    latent = operator.draw(x0, seeded(0))
    guess = 0.3 * x0.flip(-1)

    def restorer(prediction):
        c_skip, c_out, _ = (per_sample(c, x0) for c in Restorer(None, operator, prediction).triple(T))
        return Restorer(lambda x, t: (guess - c_skip * operator(x0, T, latent)) / c_out, operator, prediction, "float32")

    ours = Objective(loss, "eps")(restorer(prediction), x0, T, latent)
    torch.testing.assert_close(ours, Objective(loss)(restorer("eps"), x0, T, latent), rtol=1e-9, atol=0)


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_multiscale_loss(loss):
    """Errors of 16 x 24 pixels and of their means over squares of 2 and 4, weighted 1, 2 and 4: sides 16, 8 and 4."""
    error = torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = torch.zeros(2, dtype=torch.float64)
    for square in (1, 2, 4):
        means = error.reshape(2, 3, 16 // square, square, 24 // square, square).mean((3, 5))
        total += square * (means.square() if loss == "mse" else means.abs()).mean((1, 2, 3)) / 7
    restorer = Restorer(lambda x, t: error, GaussianBlur(), "x0", "float32")
    zero = torch.zeros_like(error)
    found = Objective(loss, coarsest=4)(restorer, zero, torch.ones(2), ())
    torch.testing.assert_close(found, total, rtol=1e-12, atol=0)
    for coarsest in (0, 17):
        plain = Objective(loss, coarsest=coarsest)(restorer, zero, torch.ones(2), ())
        torch.testing.assert_close(plain, Objective(loss)(restorer, zero, torch.ones(2), ()))
    with pytest.raises(ValueError, match="coarsest is a side"):
        Objective(coarsest=-1)
