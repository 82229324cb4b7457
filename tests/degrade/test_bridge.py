"""Bridges between pairs: their marginals, the published schedule, and Gaussian pairs, whose answers are known."""

from __future__ import annotations

import math

import pytest
import torch

from degrade import Bridge, ImageMixing, Independent, NoLatent, RectifiedFlow, State
from degrade.random import seeded
from restore.data.batch import Batch
from samplers import DDIM, DDPM, sample, uniform

X0 = {"mean": 0.2, "std": 0.4}
GAIN, OFFSET, NOISE = 0.7, -0.1, 0.3
"""y = GAIN x0 + OFFSET + NOISE n."""
Y = {"mean": GAIN * X0["mean"] + OFFSET, "std": math.hypot(GAIN * X0["std"], NOISE)}


def moments(operator, t: float) -> tuple[float, float, float]:
    """1 - u, u, and the spread of x_t given both ends, by asking the operator."""
    ends = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    found = []
    for x0, y, eps in ends:
        image = torch.full((1, 1, 1, 1), y, dtype=torch.float64)
        latent = (image,) if isinstance(operator, ImageMixing) else ((image,), (torch.full_like(image, eps),))
        found.append(float(operator(torch.full_like(image, x0), torch.tensor([t], dtype=torch.float64), latent)))
    return found[0], found[1], found[2] if isinstance(operator, Bridge) else 0.0


def restorer(operator):
    """E[x0 | x_t] of the Gaussian pair."""

    def restore(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        a, b, c = moments(operator, float(t[0]))
        gain, mean = a + b * GAIN, a * X0["mean"] + b * Y["mean"]
        variance = (gain * X0["std"]) ** 2 + (b * NOISE) ** 2 + c**2
        return X0["mean"] + gain * X0["std"] ** 2 / variance * (x_t - mean)

    return restore


def test_the_ends_are_the_pair(images):
    bridge, y = Bridge(), images.flip(-1)
    latent = bridge.draw(images, seeded(0))._replace(other=type(bridge.draw(images).other)(y))
    assert torch.equal(bridge(images, torch.zeros(4), latent), images)
    assert torch.equal(bridge(images, torch.ones(4), latent), y)


def test_the_published_schedule():
    """Liu et al.'s 1000 betas, summed up, at their levels: to a thousandth of the whole."""
    steps, bridge = 1000, Bridge()
    betas = torch.linspace(1e-4**0.5, (0.3 / steps) ** 0.5, steps, dtype=torch.float64).square()
    betas = torch.cat([betas[: steps // 2], betas[: steps // 2].flip(0)])
    found = bridge.variance(torch.arange(1, steps + 1, dtype=torch.float64) / steps)
    torch.testing.assert_close(found, betas.cumsum(0), rtol=0, atol=1e-3 * float(betas.sum()))
    assert float(bridge.variance(torch.zeros(1))) == 0


def test_a_step_back_is_the_bridge_from_x0_to_x_t():
    """q(x_s | x_t, x0): x_t drawn, then x_s from `posterior`, has the mean, variance and covariance of the bridge itself."""
    bridge, count = Bridge(), 200_000
    x0, y = torch.full((count, 1, 1, 1), 0.5), torch.full((count, 1, 1, 1), -0.8)
    latent = bridge.draw(x0, seeded(1))
    ends = latent._replace(other=type(latent.other)(y))
    t, s = torch.full((count,), 0.7), torch.full((count,), 0.3)
    x_t = bridge(x0, t, ends)
    mean, std = bridge.posterior(x_t, x0, t, s)
    x_s = mean + std[0] * torch.randn(mean.shape, generator=seeded(2))
    a, b, c = moments(bridge, 0.3)
    assert abs(float(x_s.mean()) - (0.5 * a - 0.8 * b)) < 5 * c / count**0.5
    assert abs(float(x_s.std()) - c) < 5 * c / (2 * count) ** 0.5
    v = [float(bridge.variance(torch.tensor([u]))) for u in (0.3, 0.7, 1.0)]
    covariance = v[0] * (v[2] - v[1]) / v[2]
    assert abs(float(torch.cov(torch.stack([x_s.flatten(), x_t.flatten()]))[0, 1]) - covariance) < 0.01 * covariance + 5e-4


BRIDGE = Bridge(1.0, 4.0)


def knowing(y: float):
    """E[x0 | x_t, y]: of a restorer that is told what the bridge ends at."""
    gain = GAIN * X0["std"] ** 2 / Y["std"] ** 2
    mean, variance = X0["mean"] + gain * (y - Y["mean"]), (X0["std"] * NOISE / Y["std"]) ** 2

    def restore(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        a, b, c = moments(BRIDGE, float(t[0]))
        return mean + a * variance / (a**2 * variance + c**2 + 1e-30) * (x_t - a * mean - b * y)

    return restore


def check_normal(made: torch.Tensor, mean: float, std: float) -> None:
    """Within 5 standard errors, and 2% of the standard deviation, for 1000 steps."""
    assert abs(float(made.mean()) - mean) < 5 * std / len(made) ** 0.5 + 0.02 * std
    assert abs(float(made.std()) - std) < 5 * std / (2 * len(made)) ** 0.5 + 0.02 * std


def test_a_bridge_of_gaussian_pairs_ends_at_the_clean_images():
    """From y as they are, x0 as they are, mean and standard deviation of 20,000 walks. (From one y they are not
    p(x0 | y), unless the restorer is told y: the walk forgets what it began with. De Bortoli et al. 2023, arXiv 2311.06978.)"""
    count = 20_000
    y = Y["mean"] + Y["std"] * torch.randn(count, 1, 1, 1, generator=seeded(4), dtype=torch.float64)
    made = sample(DDPM(), restorer(BRIDGE), BRIDGE, State(y, ()), uniform(1000), generator=seeded(3))
    check_normal(made, X0["mean"], X0["std"])


def test_a_bridge_whose_end_is_told_gives_the_posterior():
    """Mean and standard deviation of p(x0 | y)."""
    count, y = 20_000, 0.6
    start = torch.full((count, 1, 1, 1), y, dtype=torch.float64)
    made = sample(DDPM(), knowing(y), BRIDGE, State(start, ()), uniform(1000), generator=seeded(3))
    gain = GAIN * X0["std"] ** 2 / Y["std"] ** 2
    check_normal(made, X0["mean"] + gain * (y - Y["mean"]), X0["std"] * NOISE / Y["std"])


def test_indi_carries_y_to_the_distribution_of_x0():
    """Without noise the walk is a flow: x0 = mean + std (y - its mean) / its std; 1 step is the mean given y (regression)."""
    operator = ImageMixing(RectifiedFlow())
    y = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(1, 1, 1, 9)
    made = sample(DDIM(), restorer(operator), operator, State(y, (y,)), uniform(2000))
    expected = X0["mean"] + X0["std"] / Y["std"] * (y - Y["mean"])
    torch.testing.assert_close(made, expected, rtol=0, atol=2e-3)
    once = sample(DDIM(), restorer(operator), operator, State(y, (y,)), uniform(1))
    gain = GAIN * X0["std"] ** 2 / Y["std"] ** 2
    torch.testing.assert_close(once, X0["mean"] + gain * (y - Y["mean"]))


def test_the_mean_path_is_ddim(images):
    """The published deterministic walk, `posterior` at eta = 0, and DDIM, which reads y off x_t: the same step."""
    bridge, t, s = Bridge(), torch.full((4,), 0.8), torch.full((4,), 0.5)
    x0, x_t = images.flip(-1), images
    mean, std = bridge.posterior(x_t, x0, t, s, eta=0.0)
    step = DDIM().step(lambda x, t: x0, bridge, State(x_t, ()), t, s)
    assert not std.any()
    torch.testing.assert_close(step.x, mean, rtol=1e-5, atol=1e-6)


def test_pairs_take_the_place_of_what_is_drawn(images):
    y = images.roll(1, 0)
    latent = Independent().couple(Batch(images, x1=(y,)), Bridge(), seeded(0))
    assert torch.equal(latent.other.image, y) and latent.noise.eps.shape == images.shape


def test_large_variance_is_of_noise_only(images):
    with pytest.raises(ValueError, match="large variance"):
        DDPM("large").step(lambda x, t: x, Bridge(), State(images, NoLatent()), torch.ones(4), torch.full((4,), 0.5))
