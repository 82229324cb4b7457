"""Guidance by a loss: weight 0 changes nothing, more weight lowers the loss, for any operator and scale of the loss."""

from __future__ import annotations

import pytest
import torch

from degrade import GaussianBlur, GaussianNoise, RectifiedFlow, State, seeds
from samplers import DDIM, DDPM, Naive, loss_guidance, sample, uniform
from samplers.guides.losses import palette, style
from tests.exact import GaussianData

NOISE = GaussianNoise(RectifiedFlow())
DATA = GaussianData(NOISE, 0.1, 0.5)
HALF = torch.full((4,), 0.5)


def bright(x):
    """How far the mean is from .8."""
    return (x.mean((1, 2, 3)) - 0.8).square()


def walk(restore, seed, sampler=None):
    eps = torch.randn(1, 3, 16, 16, generator=seeds(seed, 1)[0])
    return sample(sampler or DDPM(), restore, NOISE, State(eps, (eps,)), uniform(8, 0.99), generator=seeds(seed, 1))


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "loss", [bright, palette([(0.9, -0.9, -0.9), (-0.9, 0.9, 0.9)]), style(torch.linspace(-1, 1, 16).expand(3, 16, 16), 2)]
)
def test_the_loss_falls_with_the_weight(loss, seed, through):
    values = [
        float(loss(walk(loss_guidance(DATA.restore, loss, weight, through=through), seed))) for weight in (0, 0.01, 0.03, 0.1)
    ]
    assert values[0] > values[1] > values[2] > values[3]


@pytest.mark.parametrize("seed", range(5))
def test_weight_zero_is_the_unguided_sampler(seed):
    restore = DATA.restore
    assert loss_guidance(restore, bright, 0.0) is restore
    assert torch.equal(walk(loss_guidance(restore, bright, 0.0), seed), walk(restore, seed))


def test_a_step_changes_no_value_by_more_than_the_weight(images):
    """Whatever the loss is scaled to; nothing at or below `until`; images do not see each other."""

    def restore(x, t):
        return 0.5 * x

    for scale in (1e-6, 1.0, 1e6):
        guided = loss_guidance(restore, lambda x, scale=scale: scale * bright(x), 0.07)
        change = guided(images, HALF) - restore(images, HALF)
        torch.testing.assert_close(change.flatten(1).abs().amax(1), torch.full((4,), 0.07), rtol=1e-4, atol=0)
    t = torch.tensor([0.2, 0.3, 0.4, 0.5])
    change = loss_guidance(restore, bright, 0.07, until=0.3)(images, t) - restore(images, t)
    assert (change.flatten(1).abs().amax(1) > 0).tolist() == [False, False, True, True]
    alone = loss_guidance(restore, bright, 0.07)(images[2:3], HALF[:1])
    torch.testing.assert_close(alone, loss_guidance(restore, bright, 0.07)(images, HALF)[2:3])


def test_through_the_restorer_follows_its_jacobian(images):
    """A restorer that can only change the mean is only asked to change the mean."""

    def restore(x, t):
        return x.mean((1, 2, 3), keepdim=True).expand_as(x)

    def corner(x):
        return (x[:, 0, 0, 0] - 1).square()

    direct = loss_guidance(restore, corner, 0.1)(images, HALF) - restore(images, HALF)
    through = loss_guidance(restore, corner, 0.1, through=True)(images, HALF) - restore(images, HALF)
    assert int((direct[0] != 0).sum()) == 1
    torch.testing.assert_close(through, torch.full_like(through, 0.1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("through", [False, True])
def test_nothing_is_computed_where_nothing_is_steered(images, through):
    """At or below `until` the restorer is called without gradients, and the loss is not asked."""
    asked = []

    def restore(x, t):
        asked.append(x.requires_grad)
        return 0.5 * x

    guided = loss_guidance(restore, lambda x: asked.append("loss") or bright(x), 0.1, through=through, until=0.5)
    assert torch.equal(guided(images, HALF), 0.5 * images) and asked == [False]
    guided(images, HALF + 0.1)
    assert asked == [False, through, "loss"]


def test_any_degradation(images):
    blur = GaussianBlur(3.0)
    start = State(blur(images, torch.ones(4)), ())
    plain, guided = (sample(Naive(), loss_guidance(lambda x, t: x, bright, w), blur, start, uniform(5)) for w in (0.0, 0.05))
    assert bool((bright(guided) < bright(plain)).all())


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        (lambda x: x.mean(), {}, "a number for each image"),
        (lambda x: torch.zeros(len(x)), {}, "does not depend on the image"),
        (bright, {"through": True, "iterations": 2}, "iterations is 1"),
    ],
)
def test_bad_losses(loss, options, message, images):
    with pytest.raises(ValueError, match=message):
        loss_guidance(lambda x, t: x, loss, 0.1, **options)(images, HALF)


def test_deterministic_sampler_too():
    assert float(bright(walk(loss_guidance(DATA.restore, bright, 0.1), 0, DDIM()))) < float(
        bright(walk(DATA.restore, 0, DDIM()))
    )
