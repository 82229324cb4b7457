"""Signals (B, C, L), images and videos (B, C, T, H, W): what knows no rank serves all, and what does says so in one line."""

from __future__ import annotations

import pytest
import torch

from degrade import (
    Compose,
    Curve,
    Decolour,
    Gaussian,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    GaussianPrior,
    ImageMixing,
    IteratedBlur,
    Pixelate,
    RectifiedFlow,
    Snow,
    Stage,
)
from degrade.laws import LAWS, has_a_prior
from degrade.random import Field, seeded, seeds
from degrade.tree import tree_map

ANY_RANK = [
    GaussianNoise(),
    GaussianNoise(RectifiedFlow()),
    ImageMixing(),
    Decolour(),
    Decolour("geometric", space="lab"),
    Compose((Stage(Decolour()), Stage(ImageMixing(), Curve(0.2)), Stage(GaussianNoise(), Curve(power=2.0)))),
]
IMAGES_ONLY = [GaussianBlur(), IteratedBlur(), GaussianMask(), Pixelate(), Snow(), Compose((Stage(Decolour()), Stage(Snow())))]
ranks = pytest.mark.parametrize("space", [(11,), (2, 4, 3), (2, 1, 3, 2)], ids=str)
every = pytest.mark.parametrize("operator", ANY_RANK, ids=str)


def made(space: tuple[int, ...]) -> torch.Tensor:
    return torch.rand(4, 3, *space, generator=seeded(1)) * 2 - 1


@pytest.mark.parametrize("law", [law for law in LAWS if law is not has_a_prior], ids=lambda law: law.__name__)
@ranks
@every
def test_laws(operator, space, law):
    law(operator, made(space))


@ranks
@every
def test_a_video_is_degraded_as_one_tall_image_of_its_values(operator, space):
    """Where a value depends on its own place alone, the arrangement of the places does not matter (1e-6)."""
    x, t = made(space), torch.tensor([0.1, 0.4, 0.7, 1.0])
    latent = operator.draw(x, seeded(0))
    flat = operator(x.flatten(2)[..., None], t, tree_map(lambda z: z.flatten(2)[..., None], latent))
    torch.testing.assert_close(operator(x, t, latent), flat.reshape(x.shape), rtol=0, atol=1e-6)


@pytest.mark.parametrize("operator", IMAGES_ONLY, ids=str)
def test_what_acts_on_images_only_says_so(operator):
    video, t = made((5, 7, 4)), torch.full((4,), 0.5)
    with pytest.raises(ValueError, match=r"(Blur|Mask|Pixelate|Snow) takes images \(B, C, H, W\), got .*\(4, 3, 5, 7, 4\)"):
        operator(video, t, tree_map(lambda z: z[:4], operator.draw(made((5, 7)))))


def test_a_place_is_needed():
    with pytest.raises(ValueError, match=r"takes images \(B, C, H, W\), or videos .* got a tensor of shape \(4, 3\)"):
        GaussianNoise()(torch.zeros(4, 3), torch.zeros(4), (torch.zeros(4, 3),))


def test_a_partner_is_turned_about_every_axis():
    x = made((5, 7, 4))
    assert torch.equal(ImageMixing().draw(x, seeds(0, 4)).image, x.flip(2, 3, 4))


def test_a_prior_of_videos():
    start = GaussianPrior().sample((2, 3, 5, 7, 4), seeds(3, 2))
    assert start.x.shape == (2, 3, 5, 7, 4)
    assert torch.equal(start.x[1:], GaussianPrior().sample((1, 3, 5, 7, 4), seeds(4, 1)).x)
    here, there = (GaussianPrior().sample((1, 3, 5, 8, 8), Field((0,), 0, left)).x for left in (0, 4))
    assert torch.equal(here[..., 4:], there[..., :4])  # by place in the frame, the same window of every frame


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_posterior_of_a_video(eta):
    noise, x = GaussianNoise(), made((5, 7, 4)).double()
    t, s = (torch.full((4,), value, dtype=torch.float64) for value in (0.7, 0.3))
    x_t = noise(x, t, noise.draw(x, seeded(0)))
    mean, std = noise.posterior(x_t, x, t, s, eta)
    flat, same = noise.posterior(x_t.flatten(2), x.flatten(2), t, s, eta)
    assert isinstance(noise, Gaussian) and torch.equal(mean.flatten(2), flat) and torch.equal(std, same)
