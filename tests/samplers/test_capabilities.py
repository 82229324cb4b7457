"""A Gaussian degradation and a one-step sampler that the project does not know serve wherever these are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from degrade import Gaussian, GaussianNoise, GaussianPrior, RectifiedFlow, State, seeded, seeds
from degrade.checks import checked
from degrade.severity import per_sample, wide
from restore.patches.posterior import PatchPosterior
from samplers import DDIM, DDPM, Canvas, DPMSolver, Improved, OneStep, Resampled, Scale, panorama, sample, uniform
from tests.exact import GaussianData

NOISE = GaussianNoise(RectifiedFlow())


@dataclass(frozen=True)
class Own:
    """x_t = (1 - t) x0 + t z, written anew, with the posterior by Bayes' rule."""

    def draw(self, x0, generator=None):
        return NOISE.draw(x0, generator)

    def coefficients(self, t):
        return 1 - wide(t), wide(t)

    def derivatives(self, t):
        return -torch.ones_like(wide(t)), torch.ones_like(wide(t))

    @checked
    def __call__(self, x0, t, latent):
        alpha, sigma = (per_sample(c, x0) for c in self.coefficients(t))
        return alpha * x0 + sigma * latent[0]

    def estimate(self, x_t, x0, t):
        alpha, sigma = (per_sample(c, x0) for c in self.coefficients(t))
        return ((x_t - alpha * x0) / sigma,)

    def transition(self, t, s):
        scale = (1 - t) / (1 - s)
        return scale, (t.square() - (scale * s).square()).sqrt()

    def posterior(self, x_t, x0, t, s, eta=1.0):
        std = eta * s / t * self.transition(t, s)[1]
        kept = (s.square() - std.square()).clamp(min=0).sqrt() / t
        return per_sample(kept, x0) * x_t + per_sample(1 - s - kept * (1 - t), x0) * x0, std

    def prior(self, images):
        return GaussianPrior()


@dataclass(frozen=True)
class Halfway:
    """The mean of Algorithms 1 and 2."""

    fixed_latent: ClassVar[bool] = True

    def init(self, start):
        return start

    def step(self, restore, degradation, state, t, s, generator=None):
        x0, z = restore(state.x, t), state.latent
        return State(degradation(x0, s, z) + (state.x - degradation(x0, t, z)) / 2, z)


@pytest.mark.parametrize(
    "sampler", [DDPM("small"), DDPM("large"), DDIM(), DDIM(0.5), DPMSolver(), Resampled(DDPM(), 3)], ids=str
)
def test_an_own_gaussian_walks_like_the_projects(sampler, images):
    """The same draws give the same images (1e-9), whoever wrote the posterior."""
    assert isinstance(Own(), Gaussian)
    start = State(images.double(), NOISE.draw(images.double(), seeded(0)))
    theirs, ours = (
        sample(sampler, GaussianData(d).restore, d, start, uniform(6, 0.99), generator=seeds(3, 4)) for d in (Own(), NOISE)
    )
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sampler", [DDPM(), DDIM(), Improved(), Halfway()], ids=str)
def test_an_own_gaussian_and_an_own_sampler_on_a_panorama(sampler, tmp_path):
    """Of two scales: what a canvas holds depends on neither who wrote the degradation (1e-5) nor on its tiles."""
    restore, found = GaussianData(NOISE).restore, []
    scales = [Scale((20, 24), restore, uniform(3, 0.99)), Scale((30, 36), restore, uniform(3, 0.6))]
    for degradation, tile in ((NOISE, 64), (NOISE, 13), (Own(), 13)):
        folder = tmp_path / f"{len(found)}"
        canvas = panorama(folder, scales, sampler, degradation, tile=tile, halo=2, channels=2, seed=5)
        found.append(canvas.window(slice(0, 30), slice(0, 36)))
    assert isinstance(canvas, Canvas) and torch.equal(found[1], found[0])
    torch.testing.assert_close(found[2], found[0], rtol=0, atol=1e-5)


def test_an_own_sampler_is_resampled(images):
    """Between the turns its latent is read off x_t and the estimate, so an oracle leaves no error (1e-5)."""
    assert isinstance(Halfway(), OneStep)
    start = State(images, NOISE.draw(images, seeded(0)))
    x = sample(Resampled(Halfway(), 3), lambda x, t: images, NOISE, start, uniform(5, 0.9), generator=seeded(1))
    torch.testing.assert_close(x, images, rtol=0, atol=1e-5)


def test_the_patch_posterior_of_an_own_gaussian(images):
    photo, t = torch.rand(1, 3, 16, 17, generator=seeded(1)) * 2 - 1, torch.tensor([0.4])
    x_t = NOISE(photo, t, NOISE.draw(photo, seeded(2)))
    ours, theirs = (PatchPosterior([photo[0]], d, side=5, neighbours=None)(x_t, t) for d in (NOISE, Own()))
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-6)
