"""The same run on one process and on two (gloo): the same losses, checkpoints that go both ways, the same samples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from restore import load_image
from restore.run import open_run
from tests.commands import TINY, command

SHARED = ["--training.shard", "--training.optimizer", "adamw"]
FLAGS = [*TINY, "--training.log-every", "1", "--training.steps", "8", "--training.keep", "9"]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def done(*args, cwd, processes: int = 1) -> str:
    result = command(*args, cwd=cwd, processes=processes)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def assert_same_run(run: Path, expected: Path) -> None:
    """Losses within 1e-5 (relative), weights within 1e-5 (RMS: rounding may turn a gradient of nearly 0)."""
    torch.testing.assert_close(torch.tensor(losses(run)), torch.tensor(losses(expected)), rtol=1e-5, atol=0)
    ours, theirs = (torch.cat([p.flatten() for p in open_run(x).restorer.network.parameters()]) for x in (run, expected))
    assert float((ours - theirs).detach().square().mean().sqrt()) < 1e-5


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """A folder with a photograph, and the runs `alone` and `alone-adamw` on one process."""
    from tests.conftest import draw_photo

    folder = tmp_path_factory.mktemp("processes")
    draw_photo(folder / "photo.png")
    done("train", "photo.png", "--out", "alone", *FLAGS, cwd=folder)
    done("train", "photo.png", "--out", "alone-adamw", *FLAGS, *SHARED[1:], cwd=folder)
    return folder


@pytest.mark.parametrize(
    ("name", "flags", "expected", "resumed"),
    [
        ("DDP", [], "alone", [("DDP", 1), ("alone", 2)]),
        ("FSDP2", SHARED, "alone-adamw", [("FSDP2", 1), ("FSDP2", 2)]),
        ("pieces", ["--training.accumulate", "2"], "alone", [("pieces", 1)]),
    ],
    ids=["DDP", "FSDP2", "pieces"],
)
def test_two_processes_train_like_one(name, flags, expected, resumed, alone):
    """And a checkpoint of one is resumed on the other; one that two wrote, each its part, is read by two and one."""
    assert "results in" in done("train", "photo.png", "--out", name, *FLAGS, *flags, cwd=alone, processes=2)
    assert_same_run(alone / name, alone / expected)
    for source, processes in resumed:
        part = alone / f"{source}-on-{processes}"
        shutil.copytree(alone / source, part)
        shutil.rmtree(part / "checkpoints/step-00000008")
        done("resume", part, cwd=alone, processes=processes)
        assert_same_run(part, alone / expected)
        names = {path.name for path in (part / "checkpoints/step-00000008").iterdir()}
        assert names == {path.name for path in (alone / "alone/checkpoints/step-00000008").iterdir()}


def test_samples_do_not_depend_on_the_number_of_processes(alone):
    for processes in (1, 2):
        done("sample", "alone", "--count", "8", "--out", f"samples-{processes}", cwd=alone, processes=processes)
    names = sorted(path.name for path in (alone / "samples-1").iterdir())
    assert len(names) == 8 and names == sorted(path.name for path in (alone / "samples-2").iterdir())
    for name in names:
        assert torch.equal(load_image(alone / "samples-1" / name), load_image(alone / "samples-2" / name))


def test_two_processes_by_the_clock(alone):
    """The clock is that of the first, and the layout and precision that it found fastest, if it had the time."""
    opened = ["--training.layout", "auto", "--training.precision", "auto"]
    said = done("train", "photo.png", "--out", "timed", "--minutes", "0.06", *FLAGS, *opened, cwd=alone, processes=2)
    run = open_run(alone / "timed")
    training = run.recipe.training
    assert "auto" not in (training.layout, training.precision) and said.count("layout ") <= 1
    assert run.step == run.recipe.training.steps > 5
    rate = json.loads((alone / "timed/metrics.jsonl").read_text().splitlines()[-1])["rate"]
    assert rate < 0.1 * run.recipe.training.rate


def test_a_batch_that_cannot_be_shared_out(alone):
    result = command("train", "photo.png", *FLAGS, "--training.batch", "3", cwd=alone, processes=2)
    assert "error in process 0 of 2: a batch of 3 cannot be shared out evenly over 2 process(es)" in result.stderr
