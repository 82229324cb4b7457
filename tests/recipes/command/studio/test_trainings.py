"""Trainings in a process of their own: one at a time, stopped, their last words at hand."""

from __future__ import annotations

import time

import pytest

from recipes.command.studio import trainings

RECIPE = """
import signal, sys, time

def stop(*_):
    print("\\nstopped and saved", flush=True)
    sys.exit()

signal.signal(signal.SIGTERM, stop)
print("training", sys.argv[1:], flush=True)
for i in range(1000):
    print(f"step {i}", end="\\r", flush=True)
    time.sleep(0.02)
"""


def test_one_at_a_time_and_stopped(tmp_path, monkeypatch):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE, encoding="utf-8")
    monkeypatch.setattr(trainings, "RECIPE", recipe)
    training = trainings.Trainings(tmp_path / "log.txt")
    assert not training.runs and training.printed() == ""
    training.stop()
    training.start(tmp_path / "run", ["resume", "run"])
    with pytest.raises(ValueError, match=r"a training runs already, in .*run: stop it first"):
        training.start(tmp_path / "other", [])
    while "step 3" not in training.printed():
        time.sleep(0.01)
    assert training.runs and training.printed().startswith("training ['resume', 'run']\nstep ")
    training.close()
    assert not training.runs and training.printed().endswith("stopped and saved")
