"""The conditionals of the Gaussian chain, against Bayes' rule."""

from __future__ import annotations

import pytest
import torch

from degrade import OPERATORS, SCHEDULES, Compose, Gaussian, GaussianNoise, ImageMixing, Markov, Mixing, Stage
from degrade.random import seeded
from degrade.severity import per_sample

T, S = (torch.tensor(v, dtype=torch.float64) for v in ([0.3, 0.6, 0.9, 0.97], [0.1, 0.5, 0.2, 0.9]))
schedules = pytest.mark.parametrize("schedule", [schedule() for schedule in SCHEDULES], ids=str)


@schedules
def test_transition_takes_one_marginal_to_the_next(schedule):
    """q(x_t | x0) is q(x_t | x_s) averaged over q(x_s | x0) (1e-12)."""
    noise = GaussianNoise(schedule)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = noise.coefficients(T), noise.coefficients(S)
    scale, std = noise.transition(T, S)
    torch.testing.assert_close(scale * alpha_s, alpha_t, rtol=0, atol=1e-12)
    torch.testing.assert_close((scale * sigma_s).square() + std.square(), sigma_t.square(), rtol=0, atol=1e-12)


@schedules
def test_posterior_is_bayes_rule(schedule, images):
    """q(x_s | x_t, x0) is proportional to q(x_t | x_s) q(x_s | x0): precisions add, means are weighted by them (1e-9)."""
    noise, x0 = GaussianNoise(schedule), images.double()
    x_t = noise(x0, T, noise.draw(x0, seeded(0)))
    mean, std = noise.posterior(x_t, x0, T, S)
    (scale, jump), (alpha, sigma) = noise.transition(T, S), noise.coefficients(S)
    precision = sigma.square().reciprocal() + (scale / jump).square()
    expected = per_sample(alpha / sigma.square() / precision, x0) * x0 + per_sample(scale / jump.square() / precision, x0) * x_t
    torch.testing.assert_close(std, precision.rsqrt(), rtol=1e-9, atol=0)
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@schedules
def test_every_eta_keeps_the_marginal(schedule, eta, images):
    """Given x0, x_s has mean alpha_s x0 and variance sigma_s^2: the mean's part of eps and the fresh noise together (1e-12)."""
    noise, x0 = GaussianNoise(schedule), images.double()
    eps = noise.draw(x0, seeded(0)).eps
    mean, std = noise.posterior(noise(x0, T, (eps,)), x0, T, S, eta)
    alpha, sigma = noise.coefficients(S)
    kept = (mean - per_sample(alpha, x0) * x0) / eps
    torch.testing.assert_close(kept.square(), per_sample(sigma.square() - std.square(), x0).expand_as(x0), rtol=1e-6, atol=1e-9)
    assert (std == 0).all() if eta == 0 else (std > 0).all()


def test_arrives_clean(images):
    """At s = 0 the posterior is x0, without noise."""
    noise, zero = GaussianNoise(), torch.zeros(4, dtype=torch.float64)
    mean, std = noise.posterior(images.flip(0), images, T, zero)
    assert torch.equal(mean, images) and torch.equal(std, zero)


def test_who_has_the_capabilities():
    assert [operator.__name__ for operator in OPERATORS if isinstance(operator(), Gaussian)] == ["GaussianNoise"]
    assert [operator.__name__ for operator in OPERATORS if isinstance(operator(), Mixing)] == ["ImageMixing", "Bridge"]
    assert [operator.__name__ for operator in OPERATORS if isinstance(operator(), Markov)] == ["GaussianNoise", "Bridge"]
    inner = Compose((Stage(ImageMixing()), Stage(GaussianNoise())))
    assert (ImageMixing().partners, inner.partners, Compose((Stage(inner), Stage(ImageMixing()))).partners) == (1, 1, 2)
    assert Compose((Stage(GaussianNoise()),)).partners == 0
