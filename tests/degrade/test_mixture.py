from __future__ import annotations

import math

import pytest
import torch
from sklearn.mixture import GaussianMixture

from degrade.mixture import Mixture, fit
from degrade.random import seeded


def clusters() -> torch.Tensor:
    """Three Gaussians of 3 dimensions, 1200 points."""
    z = torch.randn(1200, 3, generator=seeded(0))
    stretch = torch.tensor([[0.3, 0.0, 0.1], [0.0, 0.1, 0.0], [0.1, 0.0, 0.2]])
    centres = torch.tensor([[0.0, 0.0, 0.0], [1.5, 1.0, -0.5], [-1.0, 1.5, 1.0]])
    return z @ stretch + centres.repeat_interleave(torch.tensor([200, 400, 600]), 0)


def log_likelihood(x: torch.Tensor, mixture: Mixture) -> float:
    density = torch.stack(
        [
            w.log() + torch.distributions.MultivariateNormal(mean, scale_tril=factor).log_prob(x)
            for w, mean, factor in zip(*mixture, strict=True)
        ]
    )
    return float(density.logsumexp(0).mean())


def test_as_likely_as_scikit_learns():
    x = clusters()
    theirs = GaussianMixture(3, reg_covar=1e-4, random_state=0, max_iter=300, tol=1e-8).fit(x.numpy())
    ours = fit(x, 3)
    assert log_likelihood(x, ours) == pytest.approx(theirs.score(x.numpy()), abs=1e-4)
    assert ours.weights.sort().values.tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 2], abs=1e-3)
    order, there = ours.weights.argsort(), torch.from_numpy(theirs.weights_).argsort()
    covariance = (ours.factors @ ours.factors.mT)[order]
    torch.testing.assert_close(ours.means[order].double(), torch.from_numpy(theirs.means_)[there].double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(covariance.double(), torch.from_numpy(theirs.covariances_)[there].double(), rtol=0, atol=1e-3)


def test_one_component_is_the_sample_covariance():
    x = clusters()
    mixture = fit(x)
    torch.testing.assert_close(mixture.factors[0] @ mixture.factors[0].T, torch.cov(x.T), rtol=0, atol=1e-5)


def test_points_that_coincide():
    """`floor` keeps the covariances regular."""
    mixture = fit(torch.ones(10, 2), 3)
    assert all(value.isfinite().all() for value in mixture) and math.isclose(float(mixture.weights.sum()), 1, abs_tol=1e-6)


def test_too_many_components():
    with pytest.raises(ValueError, match="mixture of 5 Gaussians needs at least as many points"):
        fit(torch.rand(4, 3), 5)
