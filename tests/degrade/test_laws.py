"""The laws of architecture: every operator, not examples. A new operator in OPERATORS is held to them at once."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from degrade import (
    OPERATORS,
    Cosine,
    CosineBeta,
    Estimable,
    Flow,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImageMixing,
    LinearBeta,
)
from degrade.random import seeded, seeds

VARIANTS = [operator() for operator in OPERATORS] + [
    GaussianNoise(Flow()),
    GaussianNoise(Cosine()),
    GaussianNoise(CosineBeta(20)),
    ImageMixing(LinearBeta(100)),
    GaussianBlur(3.0, border="circular"),
    GaussianMask(steps=7, std=0.5, centre="middle"),
    GaussianMask(colour=(0.5, -0.25)),
]
every = pytest.mark.parametrize("operator", VARIANTS, ids=str)


@every
def test_clean_at_zero(operator, images):
    """D(x0, 0, z) = x0, bit for bit."""
    latent = operator.draw(images, seeded(0))
    assert torch.equal(operator(images, torch.zeros(len(images)), latent), images)


@pytest.mark.parametrize("centre", [(0, 0), (5, 6), (10, 13), (-1, -1), (4.5, 3.25)])
def test_clean_at_zero_for_a_mask_on_a_pixel(centre, images):
    latent = (torch.tensor(centre, dtype=torch.float32).expand(len(images), 2),)
    assert torch.equal(GaussianMask()(images, torch.zeros(len(images)), latent), images)


@every
def test_small_severity_changes_little(operator, images):
    latent = operator.draw(images, seeded(0))
    change = operator(images, torch.full((len(images),), 1e-7), latent) - images
    assert change.abs().max() < 2e-2  # sqrt(beta) at most


@every
def test_batch_of_mixed_severities_equals_loop(operator, images):
    t = torch.tensor([0.0, 0.2, 0.73, 1.0])
    latent = operator.draw(images, seeded(1))
    together = operator(images, t, latent)
    for i in range(len(images)):
        alone = operator(images[i : i + 1], t[i : i + 1], type(latent)(*(z[i : i + 1] for z in latent)))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-6)


@every
def test_gradient(operator):
    x0 = torch.rand(2, 2, 5, 7, dtype=torch.float64, generator=seeded(2)).requires_grad_()
    latent = operator.draw(x0.detach(), seeded(3))
    t = torch.tensor([0.31, 0.9], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: operator(x, t, latent), (x0,))


@every
def test_inputs_are_not_changed(operator, images):
    t, latent = torch.full((4,), 0.6), operator.draw(images, seeded(4))
    before = copy.deepcopy((images, t, latent))
    operator(images, t, latent)
    assert torch.equal(before[0], images) and torch.equal(before[1], t)
    assert all(torch.equal(a, b) for a, b in zip(before[2], latent, strict=True))


@every
def test_draw_depends_on_the_generator_alone(operator, images):
    first, again = (operator.draw(images, seeded(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("operator", [v for v in VARIANTS if not isinstance(v, ImageMixing)], ids=str)
def test_a_sample_has_its_own_seed(operator, images):
    """With one generator a sample, its latent does not depend on the batch. (Mixing takes partners from the batch.)"""
    together, alone = operator.draw(images, seeds(10, 4)), operator.draw(images[2:3], seeds(12, 1))
    assert all(torch.equal(a[2:3], b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("operator", [v for v in VARIANTS if isinstance(v, Estimable)], ids=str)
def test_estimate_reproduces(operator, images):
    t = torch.tensor([0.02, 0.4, 0.73, 1.0])
    x_t = operator(images, t, operator.draw(images, seeded(6)))
    other = images.flip(0)  # the estimate of x0 may be wrong: x_t is met all the same
    for x0 in (images, other):
        torch.testing.assert_close(operator(x0, t, operator.estimate(x_t, x0, t)), x_t, rtol=0, atol=1e-5)


@every
@settings(max_examples=12, derandomize=True, deadline=None)
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 9), st.integers(1, 9)))
def test_any_shape(operator, shape):
    x0 = torch.rand(shape, generator=seeded(8)) * 2 - 1
    x0 = x0.expand(-1, 2, -1, -1) if getattr(operator, "colour", ()) == (0.5, -0.25) else x0
    x_t = operator(x0, torch.linspace(0.1, 1, len(x0)), operator.draw(x0, seeded(9)))
    assert x_t.shape == x0.shape and x_t.isfinite().all()


@every
def test_no_state(operator):
    """Equal, hashable, and of plain numbers."""
    assert operator == copy.deepcopy(operator) and hash(operator) == hash(copy.deepcopy(operator))


@every
def test_prior(operator, images):
    start = operator.prior(images).sample((3, 2, 20, 9), seeds(0, 3))
    assert start.x.shape == (3, 2, 20, 9) and start.x.isfinite().all()
    alone = operator.prior(images).sample((1, 2, 20, 9), seeds(1, 1))
    torch.testing.assert_close(start.x[1:2], alone.x, rtol=0, atol=1e-6)
    again = operator(start.x, torch.full((3,), 0.5), start.latent)
    assert again.shape == start.x.shape


@pytest.mark.parametrize("operator", [operator() for operator in OPERATORS], ids=str)
def test_same_when_compiled(operator, images):
    latent, t = operator.draw(images, seeded(0)), torch.tensor([0.1, 0.4, 0.7, 1.0])
    compiled = torch.compile(operator.__call__, backend="aot_eager")
    torch.testing.assert_close(compiled(images, t, latent), operator(images, t, latent), rtol=0, atol=1e-6)


@pytest.mark.parametrize("operator", [operator() for operator in OPERATORS], ids=str)
def test_same_on_another_device(operator, images):
    """On a GPU where there is one; else on torch's "meta" device, which refuses tensors that stayed on the CPU."""
    device = "cuda" if torch.cuda.is_available() else "meta"
    latent, t = operator.draw(images, seeded(0)), torch.tensor([0.1, 0.4, 0.7, 1.0])
    there = operator(images.to(device), t.to(device), type(latent)(*(z.to(device) for z in latent)))
    assert there.device.type == device and there.shape == images.shape
    if device == "cuda":
        torch.testing.assert_close(there.cpu(), operator(images, t, latent), rtol=0, atol=2e-6)
