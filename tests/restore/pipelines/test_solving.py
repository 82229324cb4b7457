"""Posterior sampling by a pipeline: any operator, any prior of noise, one measurement or several."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import Compose, Curve, Decolour, GaussianBlur, GaussianMask, GaussianNoise, Pixelate, RectifiedFlow, Snow, Stage
from degrade.random import seeded, seeds
from restore import PatchSettings, closed_form, load_image
from restore.pipelines.solving import on_unit_images, reduced_to
from restore.training.session import train
from samplers import Improved
from tests.tiny import tiny

QUICK = PatchSettings(side=5, coarsest=12, neighbours=100)


@pytest.fixture
def picture(photo) -> torch.Tensor:
    return load_image(photo)


@pytest.fixture
def prior(picture):
    """A photograph's patches, in 2 steps a scale."""
    return closed_form(picture, settings=QUICK).using(steps=2)


@pytest.fixture
def run(photo, tmp_path):
    return train(tiny(photo), tmp_path / "run")


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("method", ["ddnm", "diffpir", "pigdm", "moments", "dps"])
def test_a_blurred_picture_comes_nearer(method, picture, prior):
    """By each method, of the photograph's own patches; samples differ, the mean is theirs."""
    noisy = GaussianBlur(3.0)(picture[None], torch.tensor([0.4]), ())[0] + 0.02 * torch.randn(3, 40, 56, generator=seeded(1))
    found = prior.solve(noisy, GaussianBlur(3.0), 0.4, noise=0.02, method=method, count=2, progress=False)
    assert found.samples.shape == (2, 3, 40, 56) and found.mean.shape == found.deviation.shape == picture.shape
    torch.testing.assert_close(found.mean, found.samples.mean(0))
    assert float(found.deviation.max()) > 1e-3
    if method in ("diffpir", "moments"):
        assert distance(found.mean, picture) < 0.9 * distance(noisy, picture)


CHAIN = Compose((Stage(GaussianBlur(2.0)), Stage(Decolour(), Curve(end=0.5))))


@pytest.mark.parametrize("source", ["photograph", "run"])
def test_any_operator_under_any_prior(source, picture, prior, run):
    """Finite, in range and repeatable, with noise and without."""
    pipeline = (prior if source == "photograph" else run).using(steps=2)
    picture = picture[:, :20, :24]
    seen = (torch.rand(1, 20, 24, generator=seeded(1)) > 0.5).float()
    cases = [(lambda x: x * seen, {}, picture * seen)]
    for operator in (GaussianBlur(), Pixelate(2), Decolour(), GaussianMask(), Snow(), CHAIN):
        latent = operator.draw(picture[None], seeds(3, 1))
        y = operator(picture[None], torch.tensor([0.6]), latent)[0]
        cases.append((operator, {"severity": 0.6, "latent": latent}, y))
    for operator, given, y in cases:
        for noise in (0.0, 0.05):
            found = pipeline.solve(y, operator, noise=noise, count=1, progress=False, **given)
            assert found.samples.shape == (1, 3, 20, 24) and bool(found.samples.isfinite().all()), operator
            assert float(found.samples.abs().max()) <= 1 and not found.deviation.any()
    assert torch.equal(found.samples, pipeline.solve(y, operator, noise=noise, count=1, progress=False, **given).samples)


def test_a_picture_that_is_too_small(picture, prior):
    """y has its own size; what is found, reduced, is y."""
    small = reduced_to((20, 28))(picture[None])[0]
    found = prior.solve(small, reduced_to((20, 28)), count=1, size=(40, 56), progress=False)
    assert found.samples.shape == (1, 3, 40, 56)
    assert distance(reduced_to((20, 28))(found.samples)[0], small) < 0.02


def test_operators_of_other_libraries(picture, prior):
    """Their images are in [0, 1]."""
    dim = on_unit_images(lambda x: 0.5 * x)
    assert torch.allclose(dim(picture[None]), 2 * (0.5 * (picture[None] + 1) / 2) - 1)
    found = prior.solve(dim(picture[None])[0], dim, count=1, progress=False)
    assert distance(found.mean, picture) < 0.03


def test_several_measurements_are_solved_each_on_its_own(run, picture):
    """Image b's sample i has the seed `seed + b count + i`, whatever is done with it at a time: to 1e-4."""
    images = torch.stack([picture, picture.flip(-1)])[..., :24, :24]
    latent = Snow().draw(images, seeds(1, 2))
    y = Snow()(images, torch.full((2,), 0.5), latent)
    whole = run.solve(y, Snow(), 0.5, latent, count=2, seed=5, progress=False)
    assert whole.samples.shape == (2, 2, 3, 24, 24) and whole.mean.shape == y.shape
    alone = run.solve(y[1], Snow(), 0.5, type(latent)(*(z[1:] for z in latent)), count=2, seed=7, batch=1, progress=False)
    torch.testing.assert_close(whole.samples[:, 1], alone.samples, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("operator", "given", "message"),
    [
        (GaussianBlur(), {}, r"severity of GaussianBlur lies in \(0, 1\], got None"),
        (GaussianBlur(), {"severity": 1.5}, "got 1.5"),
        (GaussianBlur(), {"severity": 0.5, "noise": -1.0}, "noise is a standard deviation"),
        (GaussianBlur(), {"severity": 0.5, "size": (50, 60)}, r"the operator makes \(\d, 3, 50, 60\)"),
        (Snow(), {"severity": 0.5}, r"Snow has a latent \(noise, vertical\), without which"),
        (Snow(), {"severity": 0.5, "latent": Snow().draw(torch.zeros(3, 3, 40, 56))}, "for 3 images, the measurement of 1"),
        (Snow(), {"severity": 0.5, "latent": Snow().draw(torch.zeros(1, 3, 40, 56)), "method": "ddnm"}, "ddnm is for linear"),
        (
            GaussianMask(),
            {"severity": 0.5, "latent": Snow().draw(torch.zeros(1, 3, 40, 56))},
            r"Hole\(yx, fill\), .* not Flakes",
        ),
        (CHAIN, {"severity": 0.5, "latent": ((),)}, r"a latent of Compose is \(NoLatent\(\), NoLatent\(\)\), as its draw"),
        (abs, {"severity": 0.5}, "a callable is taken as it is"),
        (GaussianBlur(), {"severity": 0.5, "count": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_solved(operator, given, message, picture, prior):
    with pytest.raises(ValueError, match=message):
        prior.solve(picture, operator, progress=False, **given)


def test_a_restorer_of_something_else(photo, picture, tmp_path):
    recipe = tiny(photo, degradation=GaussianBlur(), prediction="residual")
    run = train(replace(recipe, sampling=replace(recipe.sampling, sampler=Improved(), clip=False)), tmp_path / "run")
    with pytest.raises(ValueError, match="undoes GaussianBlur: take a run of noise"):
        run.solve(picture, Decolour(), 0.5, progress=False)


def test_measurements_that_are_none(prior):
    for y, message in ((torch.zeros(3), "floating point numbers"), (torch.full((3, 40, 56), torch.nan), "NaN or infinite")):
        with pytest.raises(ValueError, match=message):
            prior.solve(y, GaussianBlur(), 0.5, progress=False)


def test_noise_is_an_operator_like_any_other(picture, prior):
    """GaussianNoise scales; its own noise would be a latent, and is not taken for known."""
    with pytest.raises(ValueError, match="has a latent"):
        prior.solve(picture, GaussianNoise(RectifiedFlow()), 0.5, progress=False)
