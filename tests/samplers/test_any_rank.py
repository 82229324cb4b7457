"""Walks through signals (B, C, L) and videos (B, C, T, H, W)."""

from __future__ import annotations

import pytest
import torch

from degrade import (
    Compose,
    Cosine,
    Curve,
    Decolour,
    GaussianNoise,
    ImageMixing,
    LinearBeta,
    RectifiedFlow,
    Stage,
    State,
)
from degrade.random import seeded, seeds
from samplers import DDIM, DDPM, DPMSolver, Improved, Naive, Resampled, clip, known_pixels, loss_guidance, sample, uniform
from tests.exact import GaussianData, oracle
from tests.samplers.test_exact import moments

CHAIN = Compose((Stage(Decolour()), Stage(ImageMixing(), Curve(0.2)), Stage(GaussianNoise(), Curve(power=2.0))))
FIRST_ORDER = [Naive(), Improved(), DDIM(), DDIM(1.0), DDPM("small"), DDPM("large")]
EVERY = [*FIRST_ORDER, DPMSolver(), Resampled(DDPM(), 2)]
ranks = pytest.mark.parametrize("space", [(11,), (3, 5, 4)], ids=str)


def start(operator, x0: torch.Tensor, t: float) -> State:
    latent = operator.draw(x0, seeded(0))
    return State(operator(x0, torch.full((len(x0),), t), latent), latent)


@pytest.mark.parametrize(
    ("sampler", "operator"),
    [(s, GaussianNoise(RectifiedFlow())) for s in EVERY]
    + [(s, op) for s in (Naive(), Improved()) for op in (CHAIN, Decolour())],
    ids=str,
)
@ranks
def test_an_oracle_restores(sampler, operator, space):
    x0 = torch.rand(4, 3, *space, generator=seeded(1)) * 2 - 1
    x = sample(sampler, oracle(x0), operator, start(operator, x0, 0.9), uniform(5, 0.9), generator=seeds(2, 4))
    torch.testing.assert_close(x, x0, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", EVERY, ids=str)
@ranks
def test_a_walk_through_a_video_is_that_of_its_values(sampler, space):
    """With a restorer that acts on each value alone, and the same random numbers, the arrangement does not matter (1e-12)."""
    data = GaussianData(GaussianNoise(Cosine()))
    eps = torch.randn(2, 3, *space, generator=seeded(0), dtype=torch.float64)
    walked, flat = (
        sample(sampler, data.restore, data.degradation, State(x, (x,)), uniform(6, 0.95), generator=seeds(5, 2))
        for x in (eps, eps.flatten(2)[..., None])
    )
    torch.testing.assert_close(walked, flat.reshape(eps.shape), rtol=0, atol=1e-12)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_ddpm_on_videos_has_its_exact_moments(variance):
    """Mean and variance of 240,000 values within 5 standard errors of the recursion's."""
    data, times, shape = GaussianData(GaussianNoise(LinearBeta())), uniform(20), (2, 3, 10, 50, 80)
    x = torch.randn(shape, generator=seeded(0), dtype=torch.float64)
    walked = sample(DDPM(variance), data.restore, data.degradation, State(x, (x,)), times, generator=seeded(1))
    mean, var = moments(data, variance, times)
    assert walked.shape == shape
    assert abs(float(walked.mean()) - mean) < 5 * (var / walked.numel()) ** 0.5
    assert abs(float(walked.var()) - var) < 5 * var * (2 / walked.numel()) ** 0.5


def test_guides_know_no_rank():
    """Steered to zero and held within bounds."""
    noise, x0 = GaussianNoise(RectifiedFlow()), torch.full((2, 3, 4, 5, 6), 2.0)
    guided = loss_guidance(clip(oracle(x0)), lambda x: x.square().flatten(1).sum(1), 0.25, iterations=4)
    x = sample(DDIM(), guided, noise, start(noise, x0, 1.0), uniform(3))
    torch.testing.assert_close(x, torch.zeros_like(x0), rtol=0, atol=1e-5)


def test_pixels_of_a_video_are_kept():
    noise, known = GaussianNoise(RectifiedFlow()), torch.rand(2, 3, 4, 9, 8, generator=seeded(1))
    mask = torch.zeros(1, 1, 4, 9, 8)
    mask[..., :3] = 1
    restore = known_pixels(GaussianData(noise).restore, known, mask, reach=3.0)
    x = sample(DDPM(), restore, noise, start(noise, known, 1.0), uniform(3), generator=seeded(2))
    assert torch.equal(x[..., :3], known[..., :3]) and not torch.equal(x, known)
