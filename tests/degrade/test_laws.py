"""The laws of `degrade.laws`, over every operator and over many sizes. A new operator in OPERATORS is held to them at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from degrade import (
    OPERATORS,
    Compose,
    Cosine,
    CosineBeta,
    Curve,
    Decolour,
    GaussianBlur,
    GaussianMask,
    GaussianNoise,
    ImageMixing,
    ImagePrior,
    IteratedBlur,
    LinearBeta,
    NoLatent,
    Pixelate,
    RectifiedFlow,
    ShiftedCosine,
    Snow,
    Stage,
)
from degrade.laws import LAWS, LawError, check_laws, clean_at_zero, keeps_shape, samples_are_separate
from degrade.random import seeded, seeds
from degrade.tree import tree_leaves, tree_map

VARIANTS = [operator() for operator in OPERATORS] + [
    GaussianNoise(RectifiedFlow()),
    GaussianNoise(Cosine()),
    GaussianNoise(ShiftedCosine(256)),
    GaussianNoise(ShiftedCosine(16, 32, 8, fixed_ends=False)),
    GaussianNoise(CosineBeta(20)),
    ImageMixing(LinearBeta(100)),
    GaussianBlur(3.0, border="circular"),
    IteratedBlur(20, 11, "linear", 7.0, 0.0, "circular"),
    IteratedBlur(50, 11, "linear", 0.35, 0.01, "reflect"),
    IteratedBlur(30, 27, "exponential", 1.0, 0.01, "circular", mean_at_end=True),
    GaussianMask(steps=7, std=0.5, centre="middle"),
    GaussianMask(colour=(0.5,), spread=0.4),
    GaussianMask(steps=30, std=0.05, reverse=True, spread=0.5),
    Pixelate(4, "area"),
    Pixelate(2, "bilinear"),
    Decolour("geometric"),
    Decolour("geometric", 0.8, 10, grey_at_end=False),
    Snow(1, 20),
    Snow(2, keep_brightness=True),
    Snow(4),
    Compose((Stage(Pixelate(2)), Stage(GaussianNoise(RectifiedFlow()), Curve(end=0.5)))),
    Compose((Stage(Snow(1), Curve(0.2, 0.9, 2.0)), Stage(Compose((Stage(GaussianMask()), Stage(Decolour())))))),
]
LAB = Decolour(space="lab")  # three channels only
every = pytest.mark.parametrize("operator", VARIANTS, ids=str)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@every
def test_law(operator, law, images):
    law(operator, images)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_in_lab(law):
    law(LAB, torch.rand(4, 3, 11, 14, generator=seeded(1)) * 2 - 1)


@every
@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 65), st.integers(1, 65)),
    seed=st.integers(0, 2**16),
)
def test_any_shape_and_severities(operator, shape, seed):
    x0 = torch.rand(shape, generator=seeded(seed)) * 2 - 1
    clean_at_zero(operator, x0)
    keeps_shape(operator, x0)
    t = torch.rand(len(x0), generator=seeded(seed + 1))
    latent = operator.draw(x0, seeded(seed + 2))
    together = operator(x0, t, latent)
    assert together.isfinite().all()
    last = slice(len(x0) - 1, None)
    alone = operator(x0[last], t[last], tree_map(lambda z: z[last], latent))
    torch.testing.assert_close(together[last], alone, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("operator", [*VARIANTS, LAB], ids=str)
def test_images_of_16_bits_are_rounded_once(operator, dtype):
    """D(x0, t, z) is what float32 gives for the same x0 and z, to the last bit; 300 px are above bfloat16's 256."""
    x0 = (torch.rand(4, 3, 300, 9, generator=seeded(1)) * 2 - 1).to(dtype)
    t, latent = torch.tensor([0.0, 0.3, 0.65, 1.0]), operator.draw(x0, seeded(2))
    in_float32 = operator(x0.float(), t, tree_map(lambda z: z.float(), latent))
    assert torch.equal(operator(x0, t, latent), in_float32.to(dtype))


@pytest.mark.parametrize("centre", [(0, 0), (5, 6), (10, 13), (-1, -1), (4.5, 3.25)])
def test_clean_at_zero_for_a_mask_on_a_pixel(centre, images):
    latent = (torch.tensor(centre, dtype=torch.float32).expand(len(images), 2), torch.zeros(4, 2, 1, 1))
    for mask in (GaussianMask(), GaussianMask(reverse=True)):
        assert torch.equal(mask(images, torch.zeros(len(images)), latent), images)


@every
def test_a_sample_has_its_own_seed(operator, images):
    """With one generator a sample, its latent does not depend on the batch."""
    together, alone = operator.draw(images, seeds(10, 4)), operator.draw(images[2:3], seeds(12, 1))
    assert all(torch.equal(a[2:3], b) for a, b in zip(tree_leaves(together), tree_leaves(alone), strict=True))


@pytest.mark.parametrize("operator", [operator() for operator in OPERATORS], ids=str)
def test_same_when_compiled(operator, images):
    latent, t = operator.draw(images, seeded(0)), torch.tensor([0.1, 0.4, 0.7, 1.0])
    compiled = torch.compile(operator.__call__, backend="aot_eager")
    torch.testing.assert_close(compiled(images, t, latent), operator(images, t, latent), rtol=0, atol=1e-6)


@every
def test_same_on_another_device(operator, images):
    """On a GPU where there is one; else on torch's "meta" device, which refuses tensors that stayed on the CPU."""
    device = "cuda" if torch.cuda.is_available() else "meta"
    latent, t = operator.draw(images, seeded(0)), torch.tensor([0.1, 0.4, 0.7, 1.0])
    there = operator(images.to(device), t.to(device), tree_map(lambda z: z.to(device), latent))
    assert there.device.type == device and there.shape == images.shape
    if device == "cuda":
        torch.testing.assert_close(there.cpu(), operator(images, t, latent), rtol=0, atol=2e-6)


@dataclass(frozen=True)
class Darken:
    """A user's own, right but for what a subclass breaks."""

    def draw(self, x0, generator=None):
        return NoLatent()

    def __call__(self, x0, t, latent=NoLatent()):  # noqa: B008
        return x0 - 0.9 * t.to(x0)[:, None, None, None] * (x0 + 1)

    def prior(self, images):
        return ImagePrior(images, self)


def test_a_users_own_operator():
    check_laws(Darken())


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (lambda x0, t: x0 - 1e-6 * (x0 + 1), "D(x0, 0, z) = x0"),
        (lambda x0, t: torch.where((t > 0)[:, None, None, None], 0.0, 1.0).to(x0) * x0, "no jump"),
        (lambda x0, t: x0 - t.mean().to(x0) * (x0 + 1), "batch of mixed severities"),
        (lambda x0, t: (x0 - t[:, None, None, None] * (x0 + 1))[..., :1], "shape"),
        (lambda x0, t: x0 - t.to(x0)[:, None, None, None] * (x0.detach() + 1), "gradcheck"),
        (lambda x0, t: x0.sub_(t.to(x0)[:, None, None, None] * (x0.detach() + 1)), "inputs are not changed"),
    ],
)
def test_the_helper_names_the_law_that_is_broken(broken, law):
    class Broken(Darken):
        def __call__(self, x0, t, latent=NoLatent()):  # noqa: B008
            return broken(x0, t)

    with pytest.raises(LawError, match="breaks a law") as caught:
        check_laws(Broken())
    assert law in str(caught.value)


def test_samples_are_separate_sees_a_swap(images):
    """The loop law fails where samples are mixed up."""

    class Swapped(Darken):
        def __call__(self, x0, t, latent=NoLatent()):  # noqa: B008
            return Darken()(x0, t.flip(0))

    with pytest.raises(LawError, match="mixed severities"):
        samples_are_separate(Swapped(), images)


X = torch.zeros(2, 3, 8, 8)
HALF = torch.full((2,), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GaussianBlur()(X, torch.tensor([0.5, 1.5])), r"severity t lies in \[0, 1\], got 0.5 to 1.5"),
        (lambda: Snow()(X, torch.tensor([-0.1, 0.5]), Snow().draw(X)), r"lies in \[0, 1\], got -0.1 to 0.5"),
        (lambda: Pixelate()(X, torch.tensor([0.5, torch.nan])), r"lies in \[0, 1\]"),
        (lambda: Decolour()(X, torch.tensor(0.5)), "severities t of shape"),
        (lambda: IteratedBlur()(X[0], HALF), r"takes images \(B, C, H, W\)"),
        (lambda: GaussianMask()(X, HALF, GaussianMask().draw(X[:1])), "batch of 1, the images are a batch of 2"),
        (lambda: ImageMixing()(X, HALF, (X[:1],)), "batch of 1, the images are a batch of 2"),
        (lambda: Compose((Stage(Snow()),))(X, HALF, (Snow().draw(X[:1]),)), "batch of 1"),
        (lambda: Compose((Stage(Snow()),))(X, HALF, ()), "1 stages, its latent has 0"),
        (lambda: GaussianNoise()(X + torch.nan, HALF, (X,)), "NaN or infinite"),
        (lambda: Pixelate()(X + torch.inf, HALF), "NaN or infinite"),
        (lambda: Decolour(space="lab")(X[:, :1], HALF), "3 channels"),
        (lambda: GaussianMask(colour=(0.1, 0.2)).draw(X), "2 values for an image of 3 channels"),
        (lambda: IteratedBlur(growth="quadratic"), "growth of IteratedBlur is 'linear' or 'exponential', got 'quadratic'"),
        (lambda: IteratedBlur(border="zero"), "border of IteratedBlur"),
        (lambda: IteratedBlur(size=4), "odd size"),
        (lambda: Decolour(fade="cubic"), "fades 'linear' and 'geometric'"),
        (lambda: Pixelate(mode="nearest"), "mode of Pixelate"),
        (lambda: Snow(level=5), "levels 1, 2, 3, 4"),
        (lambda: GaussianMask(centre="left"), "centre of GaussianMask"),
        (lambda: GaussianBlur(border="zero"), "border of GaussianBlur"),
        (lambda: GaussianNoise("cosine"), r"a schedule is one of LinearBeta\(\), .*; got 'cosine'"),
        (lambda: Compose(()), "at least one stage"),
        (lambda: Curve(0.5, 0.5), "start < end"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
