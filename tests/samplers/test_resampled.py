"""RePaint's resampling: the way back to t is the forward process, and known pixels stay."""

from __future__ import annotations

import pytest
import torch

from degrade import GaussianBlur, GaussianNoise, LinearBeta, RectifiedFlow, State, seeded, seeds
from degrade.severity import per_sample
from samplers import DDIM, DDPM, DPMSolver, Improved, Resampled, known_pixels, sample, uniform
from samplers.resampled import _again
from tests.exact import GaussianData, oracle


@pytest.mark.parametrize("schedule", [LinearBeta(), RectifiedFlow()], ids=str)
def test_back_to_t_is_the_forward_process(schedule):
    """x_s of the exact marginal becomes x_t of the exact marginal: mean and variance within 5 standard errors."""
    noise = GaussianNoise(schedule)
    x0 = torch.full((1, 1, 500, 500), 0.3, dtype=torch.float64)
    s, t = torch.tensor([0.3], dtype=torch.float64), torch.tensor([0.6], dtype=torch.float64)
    z = noise.draw(x0, seeded(0))
    x = _again(noise, State(noise(x0, s, z), z), x0, s, t, seeded(1)).x
    alpha, sigma = (float(c) for c in noise.coefficients(t))
    assert abs(float(x.mean()) - 0.3 * alpha) < 5 * sigma / x.numel() ** 0.5
    assert abs(float(x.var()) / sigma**2 - 1) < 5 * (2 / x.numel()) ** 0.5


@pytest.mark.parametrize("operator", [GaussianNoise(RectifiedFlow()), GaussianBlur(3.0)], ids=str)
@pytest.mark.parametrize("times", [1, 4])
def test_an_oracle_restores(operator, times, images):
    sampler = Resampled(DDPM() if isinstance(operator, GaussianNoise) else Improved(), times)
    latent = operator.draw(images, seeded(0))
    start = State(operator(images, torch.full((4,), 0.9), latent), latent)
    x = sample(sampler, oracle(images), operator, start, uniform(5, 0.9), generator=seeds(0, 4))
    torch.testing.assert_close(x, images, rtol=0, atol=1e-5)


def test_once_is_the_plain_sampler(images):
    noise = GaussianNoise(RectifiedFlow())
    restore = GaussianData(noise).restore
    start = State(images, noise.draw(images, seeded(0)))
    plain, once = (
        sample(s, restore, noise, start, uniform(4, 0.9), generator=seeds(5, 4)) for s in (DDPM(), Resampled(DDPM(), 1))
    )
    assert torch.equal(plain, once)


def test_known_pixels_stay(images):
    noise = GaussianNoise(RectifiedFlow())
    mask = torch.zeros(1, 1, 11, 14)
    mask[..., :6] = 1
    restore = known_pixels(GaussianData(noise).restore, images, mask)
    start = State(torch.randn(images.shape, generator=seeded(0)), noise.draw(images, seeded(0)))
    x = sample(Resampled(DDIM(), 3), restore, noise, start, uniform(4, 0.99), generator=seeds(5, 4))
    assert torch.equal(x[..., :6], images[..., :6])


def test_resampling_brings_the_parts_to_agree():
    """Rows that are constant by nature: the made half comes nearer to the known half with every turn."""
    noise = GaussianNoise(RectifiedFlow())

    def restore(x, t):
        """The posterior mean of rows x = c, c ~ N(0, 1): the mean of the row, shrunk."""
        alpha, sigma = (per_sample(c, x) for c in noise.coefficients(t))
        n = x.shape[-1]
        return (alpha * x.sum(-1, keepdim=True) / (n * alpha.square() + sigma.square())).expand_as(x)

    known = torch.linspace(-1, 1, 64).reshape(1, 1, 64, 1).expand(1, 1, 64, 8)
    mask = torch.zeros(1, 1, 1, 8)
    mask[..., :2] = 1
    errors = []
    for times in (1, 3, 10):
        eps = torch.randn(1, 1, 64, 8, generator=seeded(2))
        x = sample(
            Resampled(DDPM(), times),
            known_pixels(restore, known, mask),
            noise,
            State(eps, (eps,)),
            uniform(10, 0.99),
            generator=seeded(3),
        )
        errors.append(float((x - known)[..., 2:].square().mean()))
    assert errors[0] > errors[1] > errors[2]


def test_bad_settings():
    with pytest.raises(ValueError, match="times of Resampled is 1 to 1000"):
        Resampled(DDPM(), 0)
    with pytest.raises(ValueError, match="one-step samplers .*, got DPMSolver"):
        Resampled(DPMSolver())
