from __future__ import annotations

import pytest
import torch

from degrade import GaussianBlur, GaussianNoise, RectifiedFlow, State, seeded
from samplers import (
    DDIM,
    Scale,
    ilvr,
    known_pixels,
    pad_to,
    pyramid,
    sample,
    seamless,
    sizes,
    symmetric,
    telescoped,
    uniform,
)
from tests.exact import GaussianData, oracle

HALF = torch.full((4,), 0.5)


def test_keep(images):
    known, mask = torch.rand(1, 2, 11, 14), torch.zeros(1, 1, 11, 14)
    mask[..., 3:6, 2:9] = 1
    x0 = known_pixels(oracle(images), known, mask)(images, HALF)
    assert torch.equal(x0[..., 3:6, 2:9], known[..., 3:6, 2:9].expand(4, -1, -1, -1))
    assert torch.equal(x0[..., 7:, :], images[..., 7:, :])


def test_low_frequencies(images):
    """What is blurred agrees with the reference, what is not with the estimate; below `until` nothing changes."""
    reference = torch.rand(1, 2, 11, 14, generator=seeded(1))
    guided = ilvr(oracle(images), reference, 2.0, until=0.3)
    blur = GaussianBlur(2.0)
    ones = torch.ones(4)
    x0 = guided(images, HALF)
    expected = images + blur(reference.expand_as(images), ones) - blur(images, ones)
    torch.testing.assert_close(x0, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(guided(images, torch.full((4,), 0.3)), images, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(8, 10), (9, 11), (9, 10)])
@pytest.mark.parametrize(("symmetry", "dims"), [("left-right", (-1,)), ("up-down", (-2,)), ("rotation", (-2, -1))])
def test_symmetric(size, symmetry, dims):
    x = torch.rand(2, 3, *size, generator=seeded(2))
    x0 = symmetric(lambda x, t: x + 0.1 * x.cumsum(-1), symmetry)(x, torch.ones(2))
    torch.testing.assert_close(x0, x0.flip(dims), rtol=0, atol=1e-6)
    top, left = size[0] // 2, size[1] // 2
    again = symmetric(oracle(x0), symmetry)(x, torch.ones(2))
    torch.testing.assert_close(again[..., :top, :left], x0[..., :top, :left], rtol=0, atol=1e-6)


def test_seamless_is_equivariant_to_rolling(images):
    """With a blur as restorer: the same as a circular blur, wherever the image is cut."""
    blur = GaussianBlur(1.5)
    restore = seamless(lambda x, t: blur(x, torch.ones(len(x))), 12)
    circular = GaussianBlur(1.5, "circular")(images, torch.ones(4))
    torch.testing.assert_close(restore(images, HALF), circular, rtol=0, atol=1e-4)
    rolled = restore(images.roll((3, 5), (-2, -1)), HALF)
    torch.testing.assert_close(rolled, restore(images, HALF).roll((3, 5), (-2, -1)), rtol=0, atol=1e-4)


def test_sizes():
    assert sizes(188, 250, 24, 0.75)[0][0] >= 24 and sizes(188, 250)[-1] == (188, 250)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in zip(sizes(188, 250)[:-1], sizes(188, 250)[1:], strict=True))
    assert sizes(20, 30, 24) == [(20, 30)]
    with pytest.raises(ValueError, match="factor in"):
        sizes(20, 30, 24, 1.5)


def test_pyramid_with_one_scale_is_a_walk(images):
    noise = GaussianNoise(RectifiedFlow())
    eps = torch.randn(images.shape, generator=seeded(3))
    start, times = State(eps, (eps,)), uniform(4, 0.9)
    restore = lambda x, t: x.clamp(-0.5, 0.5)  # noqa: E731
    one = pyramid(DDIM(), noise, start, [Scale((11, 14), restore, times)])
    assert torch.equal(one, sample(DDIM(), restore, noise, start, times))


def test_pyramid_restores_what_the_finest_oracle_knows(images):
    """Every scale has its own restorer, and is walked in its own steps; samples have their own seeds."""
    noise, seen = GaussianNoise(RectifiedFlow()), []
    small = torch.nn.functional.interpolate(images, (6, 7))
    scales = [Scale((6, 7), oracle(small), uniform(3, 0.9)), Scale((11, 14), oracle(images), uniform(2, 0.5))]
    eps = torch.randn(small.shape, generator=seeded(4))
    x = pyramid(DDIM(), noise, State(eps, (eps,)), scales, blend=0.5, generator=seeded(5), on_step=seen.append)
    torch.testing.assert_close(x, images, rtol=0, atol=1e-6)
    assert [step.x.shape[-1] for step in seen] == [7, 7, 7, 14, 14]
    with pytest.raises(ValueError, match="start has the size"):
        pyramid(DDIM(), noise, State(images, ()), scales)


def test_classifier_free_guidance_against_the_closed_form():
    """Gaussian data whose mean is what the class says: guidance w is the restorer of the mean m0 + w (m1 - m0)."""
    noise = GaussianNoise(RectifiedFlow())
    means = {"conditional": 0.5, "unconditional": -0.1}
    conditional, unconditional = (GaussianData(noise, mean, 0.4).restore for mean in means.values())
    x = torch.randn(4, 2, 5, 6, generator=seeded(3), dtype=torch.float64)
    for weight in (0.0, 0.5, 2.0, 5.0):
        expected = GaussianData(noise, -0.1 + weight * 0.6, 0.4).restore(x, HALF)
        torch.testing.assert_close(telescoped(unconditional, (weight, conditional))(x, HALF), expected, rtol=0, atol=1e-12)
    assert telescoped(unconditional, (1.0, conditional)) is conditional


def test_classifier_free_guidance_within_severities(images):
    """(.2, .6] here; outside of it the condition counts as learned, and costs one call."""
    calls = []

    def unconditional(x, t):
        calls.append(t)
        return x - 1

    guided = telescoped(unconditional, (3.0, lambda x, t: x + 1), until=0.2, since=0.6)
    t = torch.tensor([0.2, 0.21, 0.6, 0.61])
    expected = images + torch.tensor([1.0, 5.0, 5.0, 1.0])[:, None, None, None]
    torch.testing.assert_close(guided(images, t), expected)
    assert len(calls) == 1
    assert torch.equal(guided(images, torch.ones(4)), images + 1) and len(calls) == 1


def test_what_is_kept_leaves_no_step_at_its_border():
    """A restorer that is 0.5 too dark: known pixels stay, the error fades in with the distance, and is whole far away."""
    known = torch.zeros(1, 1, 12, 64)
    mask = torch.zeros(1, 1, 12, 64)
    mask[..., :32] = 1
    x, t = torch.zeros(2, 1, 12, 64), torch.ones(2)
    plain = known_pixels(lambda x_t, t: x_t - 0.5, known, mask)(x, t)
    assert float(plain.diff(dim=-1).abs().max()) == 0.5
    soft = known_pixels(lambda x_t, t: x_t - 0.5, known, mask, reach=6.0)(x, t)
    assert bool((soft[..., :32] == 0).all())
    assert float(soft.diff(dim=-1).abs().max()) < 0.1
    torch.testing.assert_close(soft[..., 60:], torch.full((2, 1, 12, 4), -0.5), rtol=0, atol=1e-3)


def test_mirrored_padding():
    """What lies before the edge follows it, or, where that is too little, the last pixels again; zeros otherwise."""
    seen = []

    def look(x_t, t):
        seen.append(x_t)
        return x_t

    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    for mirrored in (False, True):
        assert torch.equal(pad_to(look, 4, mirrored)(x, HALF), x)
    assert seen[0][0, 0].tolist() == [[0, 1, 2, 0], [3, 4, 5, 0], [0] * 4, [0] * 4]
    assert seen[1][0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    pad_to(look, 4, True)(x[..., :2, :].repeat(1, 1, 2, 1)[..., :3, :], HALF)
    assert seen[2][0, 0].tolist() == [[0, 1, 2, 1], [3, 4, 5, 4], [0, 1, 2, 1], [3, 4, 5, 4]]
