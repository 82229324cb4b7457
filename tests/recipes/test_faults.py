"""What a machine does to a run: full disks, folders that refuse, too little memory, vanished files, clocks that jump."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import PatchUNetConfig
from recipes import sindiffusion
from restore import Crops, Folder
from restore.machine.processes import ALONE
from restore.recipe import Recipe
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from restore.training.estimate import estimate
from restore.training.session import continue_training, resume, train
from restore.training.trainer import TrainingError
from tests.commands import TINY, command, start


def tiny(photo: Path, steps: int = 4) -> Recipe:
    recipe = sindiffusion.recipe(photo)
    network = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel")
    training = replace(recipe.training, steps=steps, batch=4, warmup=1, log_every=1, save_every=2, preview_every=2)
    sampling = replace(recipe.sampling, steps=2)
    return replace(recipe, data=Crops(size=32, crop=16), network=network, training=training, sampling=sampling)


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk of 1.2 MB, and what gives it more room; as root of a namespace, which only its own process mounts in."""
    mounts = (f"mount -t tmpfs -o size=1200k tmpfs {folder}", f"mount -o remount,size=30m {folder}")
    line = ["unshare", "--map-root-user", "--mount", "sh", "-c", " && ".join(f"{mount} && echo && read _" for mount in mounts)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:

        def more_room() -> None:
            print(file=holder.stdin, flush=True)
            assert holder.stdout.readline()

        if not holder.stdout.readline():
            pytest.skip("this machine lets nobody mount a small disk")
        yield Path(f"/proc/{holder.pid}/root{folder}"), more_room
        holder.communicate("")


def test_a_full_disk(photo, tmp_path):
    """On a disk of 1.2 MB: the last checkpoint loads, one line says what to do, with more room the run goes on."""
    if not shutil.which("unshare"):
        pytest.skip("this machine makes no namespaces")
    flags = [*TINY, "--training.steps", "20"]
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as (disk, more_room):
        result = command("train", photo, "--out", disk / "run", *flags, cwd=tmp_path)
        step = open_checkpoint(disk / "run").step
        assert result.returncode != 0 and "error: the disk of" in result.stderr.splitlines()[-1]
        assert f"Step {step} is safe: make room, then resume the run." in result.stderr.splitlines()[-1]
        assert command("sample", disk / "run", "--count", "1", "--out", "samples", cwd=tmp_path).returncode == 0
        more_room()
        assert command("resume", disk / "run", cwd=tmp_path).returncode == 0
        resumed = open_run(disk / "run").restorer.network.state_dict()
    command("train", photo, "--out", "whole", *flags, cwd=tmp_path)
    whole = open_run(tmp_path / "whole").restorer.network.state_dict()
    assert 0 < step < 20 and len(list((tmp_path / "samples").iterdir())) == 1
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_checkpoint_that_cannot_be_written(number, photo, tmp_path, monkeypatch):
    """Wherever in saving it happens."""
    from restore.storage import checkpoint

    calls = []

    def refuse(path):
        calls.append(path)
        if len(calls) == 9:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(checkpoint, "flush", refuse)
    with pytest.raises(CheckpointError, match=r"Step 2 is safe: (make room|mend that), then resume the run\.$"):
        train(tiny(photo, 6), tmp_path / "run")
    assert open_checkpoint(tmp_path / "run").step == 2
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["step-00000002"]
    monkeypatch.undo()
    assert resume(tmp_path / "run").step == 6


def test_a_folder_that_cannot_be_written_to(photo, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"file/run cannot be written to \(Not a directory\): name another folder"):
        train(tiny(photo), tmp_path / "file" / "run")


def test_too_little_memory_is_said_before_the_run(photo, tmp_path, monkeypatch):
    recipe = tiny(photo)
    batches, _ = recipe.open("cpu")
    kept = estimate(recipe.trainer("cpu"), batches)
    assert "4 steps of about" in str(kept) and kept.checkpoint == sum(
        value.nbytes for group in recipe.trainer("cpu").state().values() for value in group.values()
    )
    from restore.training.estimate import activations

    image = activations(recipe.trainer("cpu"), batches)
    for share, advice in [(3, "--training.accumulate 2"), (1.5, "--training.accumulate 4"), (0.5, "sides of 63% of theirs")]:
        monkeypatch.setattr("restore.training.estimate.free_memory", lambda device, share=share: share * image)
        with pytest.raises(TrainingError, match=f"this needs more memory than there is. .*{advice}"):
            train(recipe, tmp_path / str(share))


def test_out_of_memory_later_on(photo, tmp_path):
    recipe = tiny(photo)
    batches, prior = recipe.open("cpu")
    trainer = recipe.trainer("cpu", ALONE)
    objective = trainer.objective

    def greedy(restorer, x0, t, latent):
        if trainer.step == 2 and len(x0) > 2:
            torch.empty(2**60)
        return objective(restorer, x0, t, latent)

    trainer.objective = greedy
    with pytest.raises(TrainingError, match=r"out of memory at step 2\. .*: --training.accumulate 2\.$"):
        continue_training(recipe, trainer, batches, prior, tmp_path)
    assert open_checkpoint(tmp_path).step == 2


def test_the_photograph_is_removed_while_it_is_learned(photo, tmp_path):
    recipe = tiny(photo)
    batches, prior = recipe.open("cpu")
    photo.unlink()
    assert continue_training(recipe, recipe.trainer("cpu"), batches, prior, tmp_path)
    assert (tmp_path / "samples.png").exists() and open_run(tmp_path).step == 4


def test_images_of_a_folder_are_removed_or_broken(photo, tmp_path, capsys, monkeypatch):
    """Each is passed over with one warning, and counted; `strict` refuses."""
    monkeypatch.setattr("restore.data.pictures.KEPT", 0)  # every image is read anew
    images = tmp_path / "images"
    for number in range(8):
        (images / f"deep/{number}").mkdir(parents=True)
        shutil.copy(photo, images / f"deep/{number}/x.png")
    (images / "deep/3/x.png").write_bytes(b"broken")
    recipe = replace(tiny(images, 8), data=Folder(size=16))
    batches, prior = recipe.open("cpu")
    assert len(batches.images) == 8 and len(batches.skipped) == 1
    for number in (0, 1, 2):
        shutil.rmtree(images / f"deep/{number}")
    assert continue_training(recipe, recipe.trainer("cpu"), batches, prior, tmp_path / "run")
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning: skipped an image" in line]
    assert len(warnings) == len(batches.skipped) == 4
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["skipped_images"] == 4
    with pytest.raises(ValueError, match="is not an image"):
        train(replace(recipe, data=Folder(size=16, strict=True)), tmp_path / "strict")
    shutil.rmtree(images / "deep")
    with pytest.raises(ValueError, match="holds no image files"):
        train(recipe, tmp_path / "none")
    (images / "x.png").touch()
    with pytest.raises(ValueError, match="none of 1 images can be read; the first: .*x.png is not an image"):
        train(recipe, tmp_path / "none")


def test_the_clock_jumps(photo, tmp_path, monkeypatch):
    """By a year, to and fro: rates are measured by a clock that cannot."""
    import tqdm.std

    real, calls = time.time, []

    def jumping():
        calls.append(1)
        return real() + (-1) ** len(calls) * 3e7

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(tqdm.std, "time", jumping)
    assert train(tiny(photo), tmp_path / "run").step == 4
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert calls and all(0 < line["images_per_second"] < 1e5 for line in lines)


def test_a_process_that_no_longer_answers(photo, tmp_path):
    """The other gives up after the timeout, in one line, and what was saved is sound."""
    flags = [*TINY, "--training.steps", "100000", "--training.timeout", "5"]
    program = start("train", photo, "--out", "run", *flags, cwd=tmp_path, processes=2)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run/checkpoints").glob("step-*")):
        assert program.runs and time.monotonic() < deadline, program.printed("err")
        time.sleep(0.05)
    stopped, other = program.processes
    os.kill(stopped.pid, signal.SIGSTOP)
    while "error in process" not in program.printed("err"):
        assert time.monotonic() < deadline, program.printed("err")
        time.sleep(0.1)
    for process in (stopped, other):  # as torchrun does then
        process.kill()
    assert "another process of this run is gone, or did not answer in time" in program.finish().stderr
    assert open_run(tmp_path / "run").step > 0


def test_metrics_go_to_other_trackers_too(photo, tmp_path, monkeypatch):
    """A stand-in for wandb, and TensorBoard if it is installed."""
    from types import SimpleNamespace

    seen = []
    started = []

    def init(**options):
        started.append(options)
        return SimpleNamespace(log=lambda line, step: seen.append((step, line["loss"])), finish=lambda: seen.append("finished"))

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    recipe = tiny(photo)
    train(replace(recipe, training=replace(recipe.training, track="wandb")), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert seen == [*((line["step"], line["loss"]) for line in lines), "finished"]
    assert started[0]["config"]["recipe"]["training"]["steps"] == 4 and started[0]["resume"] == "allow"
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match=r"Weights & Biases is not installed: python -m pip install -e .*wandb"):
        train(replace(recipe, training=replace(recipe.training, track="wandb")), tmp_path / "other")
    pytest.importorskip("tensorboard")
    train(replace(recipe, training=replace(recipe.training, track="tensorboard")), tmp_path / "board")
    assert list((tmp_path / "board/tensorboard").glob("events.*"))
