"""Pipelines: a picture that is degraded already, latents that can and cannot be read off it, holes, and any prior."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import GaussianBlur, GaussianMask, GaussianNoise, NoLatent, RectifiedFlow, Snow, seeded, seeds
from models import Condition
from recipes import evaluate
from recipes.command.restoring import Restore
from restore import Edit, Pipeline, closed_form, load_image, open_run, save_image
from restore.training.session import train
from samplers import DDIM, DDPM, Improved, Naive
from tests.tiny import tiny


def trained(photo, folder, degradation, **changes) -> Pipeline:
    recipe = replace(tiny(photo, degradation=degradation, prediction="residual"), **changes)
    return train(replace(recipe, sampling=replace(recipe.sampling, sampler=Improved(), clip=False)), folder / "run")


@pytest.mark.parametrize("batch", [False, True], ids=["image", "batch"])
def test_restoring_what_was_degraded_elsewhere_is_the_same(batch, photo, tmp_path):
    """Bit for bit, where the measurement and the latent are: of a blur there is none, that of snow is given."""
    for degradation in (GaussianBlur(3.0), Snow()):
        run = trained(photo, tmp_path / type(degradation).__name__, degradation)
        clean = run.read()
        clean = torch.stack([clean, clean.flip(-1)]) if batch else clean
        whole = run.degrade_and_restore(clean, 0.6, seed=3, progress=False)
        images = clean if batch else clean[None]
        latent = degradation.draw(images, seeds(3, len(images))) if isinstance(degradation, Snow) else None
        restored = run.restore(whole.degraded, 0.6, latent, seed=3, progress=False)
        assert torch.equal(restored, whole.restored)
        assert torch.equal(run.direct(whole.degraded, 0.6), whole.direct)


@pytest.mark.parametrize("sampler", [Improved(), Naive(), DDIM(), DDPM()], ids=str)
def test_noise_is_read_off_the_picture(sampler, photo, tmp_path):
    """An estimable latent needs not be given; fresh noise comes from the seed."""
    run = train(tiny(photo), tmp_path / "run").using(sampler=sampler)
    noisy = run.degrade_and_restore(run.read(), 0.3, progress=False).degraded
    once, again = (run.restore(noisy, 0.3, seed=5, progress=False) for _ in range(2))
    assert once.shape == noisy.shape and bool(once.isfinite().all()) and torch.equal(once, again)


def test_a_latent_that_no_picture_tells(photo, tmp_path):
    """One line says so, and what needs none works."""
    run = trained(photo, tmp_path, Snow())
    with pytest.raises(ValueError, match=r"Snow has a latent \(.+\) that cannot be read off a picture: give the latent, or"):
        run.restore(run.read(), 0.5)
    with pytest.raises(ValueError, match="--direct is one call of the restorer, --mask a walk that keeps"):
        Restore(tmp_path / "run", photo, direct=True, mask=photo)
    assert run.direct(run.read(), 0.5).shape == run.read().shape
    with pytest.raises(ValueError, match=r"Snow covers no part of a picture: a mask serves restorers of holes"):
        run.fill(run.read(), torch.ones(1, 40, 56), 0.5)


def test_a_hole_is_found_where_none_is_given(photo, tmp_path):
    """A file is restored as what was degraded here, and what the picture tells stays."""
    operator = GaussianMask(steps=20, std=0.2)
    run = trained(photo, tmp_path, operator, prediction="missing")
    clean = run.read()
    whole = run.degrade_and_restore(clean, 0.7, progress=False)
    assert torch.equal(run.restore(whole.degraded, 0.7, progress=False), whole.restored)
    t = torch.full((1,), 0.7)
    known = operator.undo(whole.degraded[None], t, operator.read(whole.degraded[None], t))[1][0]
    assert 0.5 < float(known.mean()) < 1
    assert float((known * (whole.restored - clean)).abs().max()) < 1e-3


def test_a_hole_of_a_given_place_is_filled(photo, tmp_path):
    """What lies around it stays, also where the hole's colour is another than the run's."""
    run = trained(photo, tmp_path, GaussianMask(steps=20, std=0.4))
    picture, mask = run.read(), torch.zeros(1, 40, 56)
    mask[:, 10:20, 30:42] = 1
    torn = torch.lerp(picture, torch.ones_like(picture), mask)
    filled = run.fill(torn, mask, 0.8, progress=False)
    assert float(((filled - picture) * (1 - mask)).abs().max()) < 1e-5
    assert float(((filled - torn) * mask).abs().max()) > 0.1
    covered, hole = GaussianMask(colour=(0.2, 0.0, -0.2)).cover(torn[None], mask[None])
    assert hole.yx.tolist() == [[14, 36]] or hole.yx.tolist() == [[15, 36]]  # the middle of rows 10 to 19, of columns 30 to 41
    assert torch.equal(covered * (1 - mask), torn[None] * (1 - mask))
    torch.testing.assert_close(covered[0, :, 12, 33], torch.tensor([0.2, 0.0, -0.2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.restore(torch.zeros(1, 8, 8), 0.5), r"images of 3 channels are restored, got .*\(1, 8, 8\)"),
        (lambda run: run.restore(torch.zeros(3, 16, 16), 1.5), r"severity lies in \(0, 1\], got 1.5"),
        (lambda run: run.restore(torch.full((3, 16, 16), torch.nan), 0.5, NoLatent()), "NaN"),
        (lambda run: run.restore(torch.zeros(3, 16, 16, dtype=torch.uint8), 0.5), "floating point numbers, got torch.uint8"),
        (lambda run: run.restore(torch.zeros(0, 3, 16, 16), 0.5), r"got .* of shape \(0, 3, 16, 16\)"),
        (lambda run: run.restore(torch.full((3, 16, 16), 1e30), 0.5), "NaN, infinite or huge values"),
        (lambda run: run.restore(torch.zeros(3, 16, 16), 0.5, (torch.zeros(2, 3, 16, 16),)), r"for \[2\] images, these are 1"),
        (lambda run: run.generate(condition=0), "a condition is a class or caption, one for each image, or a Condition, got 0"),
        (lambda run: run.generate(condition=Condition(label=[1])), "label of a condition is a tensor"),
        (lambda run: run.generate(count=0), "count, batch, height and width are at least 1"),
        (lambda run: run.generate(edit=Edit(run.read(), 0.0)), r"severity lies in \(0, 1\]"),
        (lambda run: run.generate(edit=Edit(resample=0)), "resample is at least 1, got 1.0 and 0"),
        (
            lambda run: run.generate(edit=Edit(run.read()[:1], 0.5)),
            r"numbers of shape \(3, 40, 56\), got \(1,",
        ),
        (lambda run: run.generate(edit=Edit(run.read()[None], 0.5)), r"begin with holds finite numbers .*got \(1, 3, 40, 56\)"),
        (
            lambda run: run.generate(edit=Edit(known=(run.read(), torch.ones(1, 20, 56)))),
            r"mask .*\(1, 40, 56\), got",
        ),
        (lambda run: run.generate(edit=Edit(known=(run.read() / 0, torch.ones(1, 40, 56)))), "known picture .*NaN or infinite"),
        (lambda run: run.generate(edit=Edit(known=(run.read(), torch.full((1, 40, 56), 5.0)))), r"lies in \[0, 1\]"),
        (lambda run: run.using(stepz=3), "'stepz' is no setting of the walk: these are sampler, steps, grid"),
        (lambda run: run.generate(condition="cat"), "there is no class 'cat'"),
        (lambda run: run.using(steps=0), "steps and pad_to are at least 1"),
        (lambda run: run.with_noise(0.1), "a prior over thumbnails"),
    ],
)
def test_bad_input(call, message, photo, tmp_path):
    run = train(tiny(photo), tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        call(run)


def test_a_device_that_is_not_there(photo, tmp_path):
    train(tiny(photo), tmp_path / "run")
    for name in ("gpu", "cuda:77", ""):
        with pytest.raises(ValueError, match=r"is no device of this machine \(.*\): expected cpu, cuda"):
            open_run(tmp_path / "run", name)


def test_a_photograph_without_training_restores_noise(photo):
    """From its own patches: nearer to the clean picture than the noisy one, from the same interface."""
    pipeline = closed_form(photo)
    clean = pipeline.read()
    noisy = GaussianNoise(RectifiedFlow())(clean[None], torch.tensor([0.3]), GaussianNoise().draw(clean[None], seeds(1, 1)))[0]
    restored = pipeline.restore(noisy, 0.3, progress=False)
    assert float((restored - clean).square().mean()) < 0.3 * float((noisy - clean).square().mean())
    assert pipeline.halo is not None and str(photo) in pipeline.identity
    with pytest.raises(ValueError, match="there is no class 'x'"):
        pipeline.generate(condition="x")


def test_any_pipeline_is_evaluated(photo, tmp_path, monkeypatch, capsys):
    """A photograph without training beside the images of a folder."""
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        save_image(load_image(photo).roll(9 * i, -1), tmp_path / f"test/{i}.png")
    monkeypatch.setattr("restore.evaluation.features.of_classifier", lambda *args: FEATURES)
    evaluate.Restoration(photo, tmp_path / "test", images=3, steps=1, severities=(0.3,))()
    assert "| 0.3 | Algorithm 2, estimated latent |" in capsys.readouterr().out
    assert (tmp_path / "runs/photo-evaluation/restoration.md").exists()


class FEATURES:
    """Mean colours."""

    name = "mean colours"
    classify = None

    @staticmethod
    def extract(x):
        return x.mean((2, 3))


@pytest.mark.parametrize("sampler", [DDPM("large"), DDPM(), DDIM(1.0)], ids=str)
def test_a_walk_has_noise_of_its_own(sampler, photo, tmp_path):
    """x0 ~ N(0, 1) under its exact restorer: what is degraded and restored with one seed is spread as with two.

    Of 49,152 values the variance has a standard error of .0064; with the noise of the latent again it was .3 to .6 above."""
    run = train(tiny(photo), tmp_path / "run").using(sampler=sampler, steps=4, clip=False)
    noise = run.degradation

    def exact(x_t, t):
        alpha, sigma = (c.to(x_t).reshape(-1, 1, 1, 1) for c in noise.coefficients(t))
        return alpha * x_t / (alpha.square() + sigma.square())

    run = replace(run, restorer=exact)
    x0 = torch.randn(4, 3, 64, 64, generator=seeded(9))
    latent, t = noise.draw(x0, seeds(3, 4)), torch.full((4,), 0.5)
    scale = run.scale((64, 64), 0.5, range(4), "")
    walks = [run._restored(noise(x0, t, latent), 0.5, latent, range(s, s + 4), "", (), False, None) for s in (3, 700)]
    assert len(scale.times) == 5 and abs(float(walks[0].var() - walks[1].var())) < 0.04


def test_a_picture_to_condition_on_grows_with_x(photo, tmp_path):
    """To what the network sees of sides that are no multiple of its stride."""
    run = replace(train(tiny(photo), tmp_path / "run"), restorer=Seen())
    condition = Condition(image=torch.zeros(1, 2, 13, 13))
    run.using(pad_to=8).restore(torch.zeros(3, 13, 13), 0.5, condition=condition, progress=False)
    assert {tuple(shape) for shape in Seen.shapes} == {(16, 16)}


class Seen:
    """A restorer that is told a picture of the size of x."""

    shapes: list = []  # noqa: RUF012

    def given(self, condition):
        def restore(x_t, t):
            assert x_t.shape[-2:] == condition.image.shape[-2:]
            Seen.shapes.append(x_t.shape[-2:])
            return x_t

        return restore

    def __call__(self, x_t, t):
        return x_t
