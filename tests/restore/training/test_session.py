"""A run from its first step to its end: by the clock, interrupted, gone on with; and where none begins."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from restore.run import open_run
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from restore.training import clock, session
from restore.training.session import resume, train
from restore.training.trainer import Trainer
from tests.tiny import tiny

SECOND = 1 / 60


@pytest.fixture
def recipe(photo):
    return tiny(photo)


@pytest.fixture
def seconds(monkeypatch) -> list[float]:
    """The time, which training alone moves: a second a step."""
    time, train_step = [0.0], Trainer.train_step

    def passing(*args):
        time[0] += 1
        return train_step(*args)

    monkeypatch.setattr(Trainer, "train_step", passing)
    monkeypatch.setattr(clock, "now", lambda: time[0])
    return time


def interrupted_after(steps: int, monkeypatch) -> None:
    """Ctrl-C in the step of this number from now on."""
    train_step, count = Trainer.train_step, [0]

    def pressing(*args):
        count[0] += 1
        if count[0] == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(*args)

    monkeypatch.setattr(Trainer, "train_step", pressing)


def rates(run: Path) -> dict[int, float]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["rate"] for line in lines}


def state(run: Path) -> dict[str, torch.Tensor]:
    return load_file(open_checkpoint(run).folder / "training.safetensors")


def test_minutes(recipe, seconds, tmp_path, capsys):
    """The run knows the steps that there were; its previews keep their share."""
    run = train(recipe, tmp_path / "run", "cpu", 12 * SECOND)
    assert abs(seconds[0] - 12) <= 1 and run.step == run.recipe.training.steps == seconds[0]
    assert "steps in 0.2 min; memory" in capsys.readouterr().out
    assert open_checkpoint(tmp_path / "run").run["clock"]["place"] == run.step
    assert (tmp_path / "run/samples.png").exists()


def test_minutes_that_are_interrupted(recipe, seconds, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted_after(5, patch)
        stopped = train(recipe, tmp_path / "run", "cpu", 12 * SECOND)
    assert stopped.step == 5 < stopped.recipe.training.steps
    seconds[0] += 1000
    run = resume(tmp_path / "run", "cpu")
    assert abs(seconds[0] - 1012) <= 1 and run.step == run.recipe.training.steps == seconds[0] - 1000
    assert open_checkpoint(tmp_path / "run").run["clock"]["minutes"] == pytest.approx(12 * SECOND)


def test_more_steps(recipe, tmp_path):
    """At a constant rate, a run that went on is one that was as long from the start, bitwise."""
    recipe = replace(recipe, training=replace(recipe.training, decay="constant"))
    train(recipe, tmp_path / "part", "cpu")
    assert resume(tmp_path / "part", "cpu", steps=7).recipe.training.steps == 7
    train(replace(recipe, training=replace(recipe.training, steps=7)), tmp_path / "whole", "cpu")
    whole, part = state(tmp_path / "whole"), state(tmp_path / "part")
    assert all(torch.equal(part[name], value) for name, value in whole.items())


def test_more_steps_of_a_run_by_the_clock(recipe, seconds, tmp_path):
    """The rate is that of the plan of the new total."""
    step = train(recipe, tmp_path / "run", "cpu", 8 * SECOND).step
    run = resume(tmp_path / "run", "cpu", steps=step + 4)
    assert run.step == run.recipe.training.steps == step + 4 and "clock" not in open_checkpoint(tmp_path / "run").run
    assert rates(tmp_path / "run")[step + 4] == run.recipe.training.rate_at(step + 3)


def test_more_minutes(recipe, seconds, tmp_path):
    train(recipe, tmp_path / "run", "cpu")
    run = resume(tmp_path / "run", "cpu", minutes=8 * SECOND)
    assert abs(seconds[0] - 12) <= 1 and run.step == run.recipe.training.steps == seconds[0]


def test_a_run_that_has_ended_stays_as_it_is(recipe, tmp_path, monkeypatch):
    train(recipe, tmp_path / "run", "cpu")
    monkeypatch.setattr(Trainer, "train_step", None)
    assert resume(tmp_path / "run", "cpu").step == 4


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"steps": 4}, "has 4 steps already: name more in all, such as 8"),
        ({"steps": 3}, "has 4 steps already"),
        ({"steps": 8, "minutes": 1.0}, "both say how long to train"),
        ({"minutes": 0.0}, "minutes is a time > 0"),
    ],
)
def test_what_cannot_be_gone_on_to(asked, refusal, recipe, tmp_path):
    train(recipe, tmp_path / "run", "cpu")
    with pytest.raises(ValueError, match=refusal):
        resume(tmp_path / "run", "cpu", **asked)
    assert open_run(tmp_path / "run").step == 4


@pytest.mark.parametrize(
    ("clock", "refusal"),
    [
        ({"type": "Budget", "minutes": 1.0, "spent": 0.0, "place": 5.0}, "the clock is at 5 of a plan of 4 steps"),
        ({"type": "Budget", "minutes": -1.0, "spent": 0.0, "place": 0.0}, "minutes is a time > 0"),
        ("soon", "clock is 'soon', expected"),
    ],
)
def test_a_clock_of_a_stranger(clock, refusal, recipe, tmp_path, monkeypatch):
    train(recipe, tmp_path / "run", "cpu")
    checkpoint = open_checkpoint(tmp_path / "run")
    crafted = checkpoint._replace(run=checkpoint.run | {"clock": clock})
    monkeypatch.setattr(session, "open_checkpoint", lambda folder: crafted)
    with pytest.raises(CheckpointError, match=f"run.json: .*{refusal}"):
        resume(tmp_path / "run", "cpu")


def test_a_folder_of_other_files(recipe, photo, tmp_path):
    """Is left as it is; one that is empty, or has leftovers of a run alone, serves."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CheckpointError, match="holds 'notes.txt' and 1 more, which is of no run: name a folder that is new"):
        train(recipe, tmp_path, "cpu")
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "photo.png"}
    train(recipe, tmp_path / "run", "cpu")
    shutil.rmtree(tmp_path / "run/checkpoints")
    assert train(recipe, tmp_path / "run", "cpu").step == 4


@pytest.mark.parametrize("there", [[], ["previews"]])
def test_ctrl_c_before_the_first_step_leaves_nothing(there, recipe, tmp_path, monkeypatch):
    """Of its own: a folder that was there stays, with what was in it."""

    def pressed(*args):
        (tmp_path / "run/metrics.jsonl").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "estimate", pressed)
    for name in there:
        (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", "cpu")
    assert (tmp_path / "run").exists() == bool(there)
    assert [path.name for path in (tmp_path / "run").glob("*")] == there
