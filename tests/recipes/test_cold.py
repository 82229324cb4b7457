"""The recipes of Cold Diffusion, their sets and films."""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import tyro
from PIL import Image

from degrade import GaussianBlur, GaussianNoise, ImageMixing, PartnerPrior, Pixelate, ThumbnailPrior
from recipes import degrading
from recipes.command import cli, training
from restore import load_image
from restore.data import bundled
from restore.pictures import picture
from restore.recipe import Recipe
from restore.run import open_run
from restore.training.session import resume, train
from tests.refusals import refusal
from tests.tiny import short

NAMES = ["animorphosis", "blur_generation", "colourising", "deblurring", "desnowing", "inpainting", "super_resolution"]


def module(name: str):
    return importlib.import_module(f"recipes.{name}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_recipes_can_be_built(name, preset):
    """With a network that takes the images of its set, at both presets, and with another degradation."""
    make = module(name).recipe
    for images in ("folder", "digits"):
        recipe = make(images, preset)
        assert recipe.network.image_channels == recipe.data.channels == (1 if images == "digits" else 3)
        with torch.device("meta"):
            network = recipe.network.build()
        assert sum(p.numel() for p in network.parameters()) > 5e5
    swapped = make("folder", preset, GaussianBlur(2.0))
    assert swapped.degradation == GaussianBlur(2.0) and swapped.prior is None


@pytest.mark.parametrize("name", NAMES)
def test_recipes_train_and_open(name, digits):
    run = train(short(module(name).recipe("digits")), digits / "run")
    assert run.recipe.images == digits / "runs/data/digits/train"
    assert picture(run, run.read()[None], run.recipe.show, progress=False).isfinite().all()
    assert len(list((digits / "run/previews").iterdir())) == 2
    again = open_run(digits / "run")
    assert again.recipe == run.recipe
    assert torch.equal(again.generate((8, 8), progress=False), run.generate((8, 8), progress=False))


def test_generation_starts_from_a_mean_colour(digits):
    run = train(short(module("blur_generation").recipe("digits")), digits / "run")
    assert isinstance(run.prior, ThumbnailPrior) and run.prior.means.shape[1:] == (1, 1, 1)
    assert run.with_noise(0.0).prior.noise == 0
    x = run.with_noise(0.0).prior.sample((2, 1, 8, 8)).x
    assert (x - x[..., :1, :1]).abs().max() < 1e-6
    with pytest.raises(ValueError, match="noise is a standard deviation"):
        run.with_noise(-1.0)


def test_mixing_with_a_second_set(digits):
    """Latents, prior and restoration take partners from the second set; training repeats itself when resumed."""
    home = digits / "runs/data/digits/train"
    recipe = replace(short(module("animorphosis").recipe("digits"), 3), images=home / "3", others=home / "8")
    run = train(recipe, digits / "whole")
    assert isinstance(run.prior, PartnerPrior)
    eights = torch.stack([load_image(path, channels=1) for path in sorted((home / "8").iterdir())])
    partners = run.prior.sample((6, 1, 16, 16)).latent[0]
    assert all((eights - partner).abs().flatten(1).amax(1).min() < 1e-6 for partner in partners)
    batches, _ = run.recipe.open("cpu")
    assert (eights - batches.others(1, torch.Generator().manual_seed(0)).x0).abs().flatten(1).amax(1).min() < 1e-6
    restored = run.degrade_and_restore(run.read(), 1.0, progress=False)
    assert restored.restored.shape == (1, 16, 16)
    train(replace(recipe, training=replace(recipe.training, keep=5)), digits / "cut")
    for folder in ("step-00000002", "step-00000003"):
        shutil.rmtree(digits / "cut/checkpoints" / folder)
    resumed = resume(digits / "cut")
    for a, b in zip(run.restorer.network.parameters(), resumed.restorer.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_second_set_needs_mixing():
    with pytest.raises(ValueError, match="second set of images serves image mixing only"):
        replace(module("deblurring").recipe("folder"), others=Path("x"))


def test_restoring_a_batch_equals_one_by_one(digits):
    run = train(short(module("desnowing").recipe("digits")), digits / "run")
    clean = torch.stack([run.read(path) for path in sorted((digits / "runs/data/digits/test").rglob("*.png"))[:3]])
    together = run.degrade_and_restore(clean, 0.8, seed=4, progress=False)
    alone = run.degrade_and_restore(clean[2], 0.8, seed=6, progress=False)
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[2], b, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda run: run.degrade_and_restore(torch.zeros(3, 16, 16)),
            r"images of 1 channels are restored, got a tensor of shape \(3, 16, 16\)",
        ),
        (lambda run: run.degrade_and_restore(torch.full((1, 16, 16), torch.nan)), "NaN"),
        (lambda run: run.degrade_and_restore(torch.zeros(1, 16, 16), severity=1.2), r"severity lies in \(0, 1\]"),
    ],
)
def test_bad_images(change, message, digits):
    run = train(short(module("deblurring").recipe("digits")), digits / "run")
    with pytest.raises(ValueError, match=message):
        change(run)


def films(*args: str) -> None:
    tyro.cli(degrading.Degrading, args=args, config=(tyro.conf.CascadeSubcommandArgs,))()


def test_film_as_a_strip(photo, tmp_path):
    films(str(photo), "degradation:pixelate", "--frames", "4", "--out", str(tmp_path / "film.png"))
    strip = load_image(tmp_path / "film.png")
    clean = load_image(photo)
    assert strip.shape == (3, 40 + 8, 4 * 60 + 4)
    assert torch.equal(strip[:, 4:44, 4:60], clean)
    last = Pixelate()(clean[None], torch.ones(1))[0].clamp(-1, 1)
    assert (strip[:, 4:44, 184:240] - last).abs().max() < 1 / 127


def test_film_as_an_animation(photo, tmp_path):
    films(str(photo), "degradation:snow", "--frames", "5", "--out", str(tmp_path / "film.gif"))
    with Image.open(tmp_path / "film.gif") as animation:
        assert animation.n_frames == 8 and animation.size == (56, 40)


@pytest.mark.parametrize(
    ("args", "message"),
    [(["--out", "film.mp4"], "a .png (strip) or a .gif"), (["--frames", "1"], "frames of Degrading is 2 to 1000, got 1")],
)
def test_film_errors(args, message, photo):
    assert message in refusal(films, str(photo), *args)


def test_sets_are_real_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = bundled.located("photographs")
    assert folder == tmp_path / "runs/data/photographs/train"
    assert {path.stem for path in (folder.parent / "test").iterdir()} == {"chelsea", "coffee"}
    assert all(min(load_image(path).shape[1:]) <= 256 for path in folder.iterdir()) and len(list(folder.iterdir())) == 8
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert bundled.located("photographs", "test") == folder.parent / "test"
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}  # written once
    Path("digits").mkdir()
    assert bundled.located("digits") == tmp_path / "digits"  # a folder of that name comes first


def test_command_line_of_a_set(digits, monkeypatch, capsys):
    """`train digits` brings the set's size and channels; a swapped degradation, the rest."""
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    deblurring = module("deblurring").recipe
    main = cli.commands(deblurring, "deblurring.py", None, lambda: "photographs")
    main([])
    main(["train", "digits"])
    main(["train", "digits", "--preset", "paper", "degradation:pixelate", "--degradation.steps", "2"])
    main(["train", "folder", "degradation:gaussian-noise"])
    assert seen[0] == deblurring("photographs") and seen[1] == deblurring("digits")
    assert seen[2] == deblurring("digits", "paper", Pixelate(2))
    assert seen[3].degradation == GaussianNoise()


def test_a_folder_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["deblurring.py", "train", "nowhere"])
    main = cli.commands(module("deblurring").recipe, "deblurring.py", None, lambda: "photographs")
    with pytest.raises(SystemExit, match="error: .*nowhere is not a folder"):
        cli.run(main)
    assert not (tmp_path / "runs").exists()


def test_command_line_of_animorphosis(digits, monkeypatch):
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    cli.commands(module("animorphosis").recipe, "animorphosis.py", None, lambda: "digits")(
        ["train", "digits", "--others", "elsewhere"]
    )
    assert seen[0].others == Path("elsewhere") and isinstance(seen[0].degradation, ImageMixing)


def test_restoring_with_a_film(digits, capsys):
    train(short(module("deblurring").recipe("digits"), 1), digits / "run")
    main = cli.commands(module("deblurring").recipe, "deblurring.py", None, lambda: "digits")
    main(["degrade-and-restore", "run", "--trajectory", "--steps", "6"])
    assert (digits / "run/restored-trajectory.png").exists() and "estimate of x0 below" in capsys.readouterr().out
