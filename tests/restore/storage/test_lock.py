"""One training at a time in a folder."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from degrade.files import LinkError
from restore.machine.processes import ALONE, Processes
from restore.run import open_run
from restore.storage import lock
from restore.storage.lock import locked
from restore.training.session import continue_training, resume, train
from restore.training.trainer import TrainingError
from tests.tiny import tiny

REFUSED = r"another process trains in .*run: wait until it has ended, or name another folder\."


def test_a_second_training_is_refused(photo, tmp_path):
    """While another has no checkpoint yet, or has one; sampling is possible all the while."""
    run = tmp_path / "run"
    with locked(run, ALONE), pytest.raises(TrainingError, match=REFUSED):
        train(tiny(photo), run)
    assert not list(run.iterdir())
    recipe = tiny(photo)
    batches, prior = recipe.open("cpu")
    trainer = recipe.trainer("cpu")
    trainer.train_step(batches)
    trainer.save(run, _specification(recipe, batches, prior), {})
    with locked(run, ALONE):
        with pytest.raises(TrainingError, match=REFUSED):
            resume(run, "cpu")
        assert open_run(run, "cpu").generate(progress=False).isfinite().all()
    assert resume(run, "cpu").step == 4 and not (run / ".lock").exists()


def test_a_training_within_a_training(photo, tmp_path):
    """Before the first has a checkpoint: the second is refused, the first ends undisturbed."""
    recipe = tiny(photo)
    batches, prior = recipe.open("cpu")
    refused: list[str] = []

    def drawing(*args):
        if not refused:
            with pytest.raises(TrainingError, match=REFUSED) as error:
                train(tiny(photo), tmp_path / "run")
            refused.append(str(error.value))
        return batches.draw(*args)

    assert continue_training(recipe, recipe.trainer("cpu"), batches._replace(draw=drawing), prior, tmp_path / "run")
    assert refused and len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 1


def _specification(recipe, batches, prior) -> dict:
    from restore.storage.specification import encode

    return {"recipe": encode(recipe), "prior": encode(prior, {}, "prior"), "size": list(batches.images.shape[1:])}


def test_a_checkpoint_that_another_has_gone_on_from(photo, tmp_path):
    """Read before the lock was had."""
    recipe = tiny(photo)
    train(recipe, tmp_path / "run")
    before = (tmp_path / "run/metrics.jsonl").read_text()
    batches, prior = recipe.open("cpu")
    with pytest.raises(TrainingError, match="another process has brought .* to step 4 meanwhile: resume it from there"):
        continue_training(recipe, recipe.trainer("cpu"), batches, prior, tmp_path / "run")
    assert (tmp_path / "run/metrics.jsonl").read_text() == before


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_crash_releases_it(tmp_path):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(tmp_path / "run", ALONE):
            os.write(told, b"x")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(TrainingError, match=REFUSED), locked(tmp_path / "run", ALONE):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(tmp_path / "run", ALONE):
        assert (tmp_path / "run/.lock").stat().st_size == 0


@dataclass(frozen=True)
class Thread(Processes):
    """One of two processes, as threads."""

    both: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=10))
    box: list[Any] = field(default_factory=list)

    def broadcast(self, make):
        if self.is_main:
            self.box.append(make())
        self.both.wait()
        return self.box[-1]


@pytest.mark.parametrize("free", [True, False])
def test_the_first_of_a_group_has_it_for_all(free, tmp_path):
    first, said = Thread(0, 2), []

    def work(who: Thread) -> None:
        try:
            with locked(tmp_path / "run", who):
                who.both.wait()
                said.append(who.rank)
                who.both.wait()
        except TrainingError as error:
            said.append(str(error))

    def together() -> None:
        threads = [threading.Thread(target=work, args=(who,)) for who in (first, Thread(1, 2, first.both, first.box))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    if free:
        together()
        assert sorted(said) == [0, 1]
    else:
        with locked(tmp_path / "run", ALONE):
            together()
        assert len(said) == 2 and all("another process trains in" in line for line in said)


@pytest.mark.parametrize("plant", ["link", "dangling", "pipe", "folder"])
def test_a_lock_of_another_kind(plant, tmp_path):
    path, decoy = tmp_path / ".lock", tmp_path / "decoy"
    decoy.touch()
    {
        "link": lambda: path.symlink_to(decoy),
        "dangling": lambda: path.symlink_to(tmp_path / "new"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }[plant]()
    refused = r"\.lock is a link, or no ordinary file, and cannot be locked: remove it"
    with pytest.raises(LinkError, match=refused), locked(tmp_path, ALONE):
        pass
    assert not (tmp_path / "new").exists()


def test_without_locks_of_unix(tmp_path, monkeypatch):
    """Windows locks a byte."""
    calls = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=lambda *args: calls.append(args[1:])))
    try:
        with importlib.reload(lock).locked(tmp_path, ALONE):
            assert calls == [(2, 1)]
    finally:
        monkeypatch.undo()
        importlib.reload(lock)
