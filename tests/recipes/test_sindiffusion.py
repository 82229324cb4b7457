from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from degrade import OPERATORS, GaussianBlur, GaussianNoise, Identity
from models import PatchUNetConfig
from recipes import judge, sindiffusion
from recipes.command import cli, training, walk
from restore import Crops, Levels, load_image, save_image
from restore.data import bundled
from restore.recipe import Recipe
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from restore.training.session import resume, train
from samplers import DDIM, DDPM, Improved
from tests.commands import ENVIRONMENT, arguments, command, start
from tests.commands import TINY as TINY_FLAGS

MAIN = cli.commands(sindiffusion.recipe, "sindiffusion.py", None, bundled.bundled_photograph)
RESULTS = {"checkpoints", "metrics.jsonl", "previews", "curve.png"}
TINY = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel")


def tiny(photo, steps: int = 4, degradation=None) -> Recipe:
    recipe = sindiffusion.recipe(photo, degradation=degradation)
    training = replace(recipe.training, steps=steps, batch=2, warmup=1, log_every=1, save_every=2, preview_every=2)
    sampling = replace(recipe.sampling, steps=3)
    return replace(recipe, data=Crops(size=32, crop=16), network=TINY, training=training, sampling=sampling)


def saved(run: Path) -> set[Path]:
    return set(run.glob("checkpoints/step-*"))


def weights(run) -> dict[str, torch.Tensor]:
    return run.restorer.network.state_dict()


def test_paper_preset_is_the_published_method():
    recipe = sindiffusion.recipe("photo.jpg", "paper")
    assert recipe.network == PatchUNetConfig() and recipe.prediction == "eps" and recipe.data.size == 250
    assert (recipe.training.steps, recipe.training.rate, recipe.training.ema, recipe.training.times) == (
        50_000,
        5e-4,
        0.9999,
        Levels(1000),
    )
    assert recipe.sampling.sampler == DDPM("large") and recipe.sampling.steps == 1000 and not recipe.sampling.clip
    assert recipe.sampling.pad_to == 8 and recipe.degradation == GaussianNoise()


@pytest.mark.parametrize("operator", [operator() for operator in OPERATORS if operator is not Identity], ids=str)
def test_train_sample_restore(operator, photo, tmp_path):
    """One argument swaps the degradation."""
    run = train(tiny(photo, degradation=operator), tmp_path / "run")
    assert run.step == 4
    assert {path.name for path in (tmp_path / "run").iterdir()} == RESULTS | {f"{run.recipe.show}.png"}
    assert [path.name for path in sorted((tmp_path / "run/previews").iterdir())] == ["step-00000002.png", "step-00000004.png"]
    images = run.generate((24, 40), count=3)
    assert images.shape == (3, 3, 24, 40) and images.isfinite().all() and images.abs().max() <= 1
    result = run.degrade_and_restore(load_image(photo, 32), severity=0.5)
    assert all(x.shape == result.clean.shape for x in result) and not torch.equal(result.degraded, result.clean)


def test_a_run_rebuilds_itself(photo, tmp_path):
    """From its folder alone: the same recipe, weights, prior and images."""
    run = train(tiny(photo, degradation=GaussianBlur(3.0)), tmp_path / "run")
    again = open_run(tmp_path / "run")
    assert again.recipe == run.recipe and isinstance(again.recipe.sampling.sampler, Improved)
    assert torch.equal(again.prior.means, run.prior.means)
    photo.unlink()
    assert torch.equal(open_run(tmp_path / "run").generate(count=2), run.generate(count=2))


def test_a_sample_has_its_own_seed(photo, tmp_path):
    run = train(tiny(photo), tmp_path / "run")
    together, alone = run.generate(count=3, seed=5, batch=2), run.generate(count=1, seed=7)
    torch.testing.assert_close(together[2:], alone, rtol=0, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_resume_continues_to_the_same_weights(photo, tmp_path):
    """Stopped after its first checkpoint and resumed, bitwise equal to the uninterrupted run."""
    recipe = tiny(photo, steps=6)
    recipe = replace(recipe, training=replace(recipe.training, keep=3))
    whole = train(recipe, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    for step in (4, 6):  # as if it had been killed before they were written
        shutil.rmtree(tmp_path / f"part/checkpoints/step-{step:08d}")
    resumed = resume(tmp_path / "part")
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed).values(), weights(whole).values(), strict=True))
    assert (tmp_path / "part/metrics.jsonl").read_text().splitlines()[-1].split('"images')[0] == (
        (tmp_path / "whole/metrics.jsonl").read_text().splitlines()[-1].split('"images')[0]
    )


def test_a_stopped_process_resumes_to_the_same_weights(photo, tmp_path):
    """By Ctrl-C, resumed, stopped by SIGTERM, and resumed."""
    flags = ["train", photo, *TINY_FLAGS, "--training.steps", "60"]
    assert command(*flags, "--out", "whole", cwd=tmp_path).returncode == 0
    for number, args in {signal.SIGINT: [*flags, "--out", "part"], signal.SIGTERM: ["resume", "part"]}.items():
        before, deadline = saved(tmp_path / "part"), time.monotonic() + 120
        program = start(*args, cwd=tmp_path)
        while saved(tmp_path / "part") <= before:
            assert program.runs and time.monotonic() < deadline, program.printed("err")
            time.sleep(0.002)
        os.kill(program.processes[0].pid, number)
        assert "stopped and saved at step" in program.finish().stdout
        assert open_run(tmp_path / "part").step < 60
    assert command("resume", "part", cwd=tmp_path).returncode == 0
    whole, part = open_run(tmp_path / "whole"), open_run(tmp_path / "part")
    assert part.step == 60
    assert all(torch.equal(a, b) for a, b in zip(weights(part).values(), weights(whole).values(), strict=True))


def test_command_line(photo, tmp_path):
    """From another folder: train, in an interpreter of its own, sample, restore, resume of a run that is complete."""
    blur = ["degradation:gaussian-blur", "--degradation.sigma-max", "3"]
    line = arguments("train", photo, *blur, *TINY_FLAGS, "--training.steps", "4")
    result = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "results in runs/photo-gaussian-blur" in result.stdout
    run = tmp_path / "runs/photo-gaussian-blur"
    assert open_run(run).recipe.degradation == GaussianBlur(3.0) and open_run(run).recipe.prediction == "residual"
    assert (run / "restorations.png").exists()
    result = command(
        "sample", run, "--size", "20x36", "--count", "2", "--seed", "3", "--steps", "2", "--sampler", "naive", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["20x36-seed-3.png", "20x36-seed-4.png"]
    assert load_image(run / "samples/20x36-seed-3.png").shape == (3, 20, 36)
    result = command("degrade-and-restore", run, "--severity", "0.7", cwd=tmp_path)
    assert result.returncode == 0 and re.search(r"restored +PSNR +\d+\.\d+ dB", result.stdout), result.stderr
    result = command("resume", run, cwd=tmp_path)
    assert result.returncode == 0 and "results in" in result.stdout


def test_minutes(photo, tmp_path):
    """As many steps as take so long, however fast the machine is; the checkpoint knows how many, and of which time. That it is
    this long: tests/restore/training/test_session.py, by a clock of its own."""
    result = command("train", photo, "--out", "run", "--minutes", "0.03", *TINY_FLAGS, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    run = open_run(tmp_path / "run")
    assert run.step == run.recipe.training.steps > 0
    assert open_checkpoint(tmp_path / "run").run["clock"]["minutes"] == pytest.approx(0.03)
    result = command("train", photo, "--minutes", "0", *TINY_FLAGS, cwd=tmp_path)
    assert "minutes is a time > 0, of at most a year, got 0.0" in result.stderr


def test_a_second_run_gets_its_own_folder(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo", "photo-2", "photo-3"):
        training.train(tiny(photo, steps=1), None)
        assert (tmp_path / "runs" / name / "samples.png").exists()


def test_a_run_is_not_overwritten(photo, tmp_path):
    train(tiny(photo, steps=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="holds a run already"):
        train(tiny(photo), tmp_path / "run")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "none.jpg"], "error: .*none.jpg does not exist: expected an image file."),
        (["train", "broken.png"], "error: .*broken.png is not an image"),
        (["train", "photo.png", "--training.step", "3"], "training.step"),
        (["train", "photo.png", "--data.crop", "3"], "crops of 3 pixels are too"),
        (["train", "photo.png", "--preset", "slow"], "slow"),
        (
            ["train", "photo.png", "degradation:gaussian-blur", "--prediction", "eps"],
            "error: eps prediction needs an affine degradation",
        ),
        (["train", "photo.png", "--prediction", "eps"], "error: eps prediction divides by alpha"),
        (["sample", "nowhere"], "error: nowhere is not a folder"),
        (["sample", "empty"], "error: empty holds no checkpoint"),
        (["sample", "empty", "--size", "big"], "HEIGHTxWIDTH"),
        (["train", "digits"], "error: digits is a set of images, and this recipe learns from one: name a photograph"),
        (["train", "photo.png", "--out", "broken.png"], "error: broken.png is a file: --out names a folder here"),
        (["resume", "nowhere"], "error: nowhere is not a folder"),
        (["restore", "nowhere", "x.png"], "error: nowhere is not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_clear_line(args, message, photo, monkeypatch, capsys):
    monkeypatch.chdir(photo.parent)
    Path("broken.png").write_text("this is no picture")
    Path("empty").mkdir()
    monkeypatch.setattr(sys, "argv", ["sindiffusion.py", *args])
    with pytest.raises(SystemExit) as stop:
        cli.run(MAIN)
    said = str(stop.value.code) if isinstance(stop.value.code, str) else capsys.readouterr().err
    assert stop.value.code != 0 and re.search(message, said)
    assert "Traceback" not in said
    assert not (photo.parent / "runs").exists()


def test_the_first_command_is_bounded_by_the_clock(monkeypatch):
    """Three minutes, on any machine."""
    called = []
    monkeypatch.setattr("recipes.command.training.train", lambda *args: called.append(args))
    sindiffusion.main([])
    ((recipe, out, minutes),) = called
    assert (recipe, out, minutes) == (sindiffusion.recipe(bundled.bundled_photograph()), None, 3)


def test_bundled_photograph():
    assert load_image(bundled.bundled_photograph()).shape[0] == 3


def test_samplers_by_name_are_complete():
    from typing import get_args

    from samplers import NAMED

    assert set(get_args(walk.SamplerName)) == set(NAMED) and NAMED["ddim"] == DDIM()


def test_judge(photo, tmp_path):
    result = command(photo, photo, photo, cwd=tmp_path, recipe="judge")
    assert result.returncode == 0, result.stderr
    assert "| mean of 2 | 0.0000 | 0.0000 | 0.0000 | 1.000 | 1.000 |" in result.stdout


def test_judge_blanks_what_is_undefined(tmp_path, capsys):
    """A black training image has no spread to compare with, and images 16 pixels wide no neighbours."""
    images = [save_image(torch.full((3, 20, 16), value), tmp_path / f"{i}.png") for i, value in enumerate((-1.0, 0.0, 0.5))]
    judge.table(images[0], tuple(images[1:]))
    printed = capsys.readouterr().out
    assert re.search(r"\| 1.png \| 0.5020 \| 0.5020 \| 0.\d{4} \|  \|  \| 0.\d{3} \|  \|", printed)
    assert re.search(r"\| mean of 2 \| 0.6255 \| 0.6255 \| 0.\d{4} \|  \|  \| 0.\d{3} \|  \|", printed)
    assert printed.splitlines()[-1] == f"No diversity: {images[0]} has one colour only, and no spread to compare with."
    with pytest.raises(ValueError, match="16 x 6 pixels has no 7 x 7 patch"):
        judge.table(images[0], (images[1], save_image(torch.zeros(3, 16, 6), tmp_path / "small.png")))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("preset", ["fast", "best", "paper"])
def test_flags_start_from_the_preset_and_the_operator(preset, monkeypatch):
    """Naming the noise keeps the preset's schedule; another operator brings its prediction, objective and sampler."""
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    for operator in ([], ["degradation:gaussian-noise"], ["degradation:gaussian-blur"]):
        MAIN(["train", "x.png", "--preset", preset, *operator])
    assert seen[0] == seen[1] == sindiffusion.recipe("x.png", preset)
    assert seen[2] == sindiffusion.recipe("x.png", preset, GaussianBlur())


def test_a_stored_recipe_is_taken_up(photo, tmp_path, monkeypatch):
    """By --recipe: of a run, of a checkpoint, of a run.json alone; flags, images and another degradation replace its own."""
    recipe = train(tiny(photo), tmp_path / "run").recipe
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    checkpoint = tmp_path / "run/checkpoints/step-00000004"
    shutil.copy(checkpoint / "run.json", tmp_path / "alone.json")
    for path in (tmp_path / "run", checkpoint, tmp_path / "alone.json"):
        MAIN(["train", "--recipe", str(path)])
    assert seen == [recipe] * 3
    MAIN(["train", "other.png", "--recipe", str(tmp_path / "run"), "--training.steps", "7", "degradation:gaussian-blur"])
    changed = replace(recipe, images=Path("other.png"), training=replace(recipe.training, steps=7))
    assert seen[3] == replace(changed, degradation=GaussianBlur())
    with pytest.raises(ValueError, match=r"none.json cannot be read"):
        MAIN(["train", "--recipe", str(tmp_path / "none.json")])
