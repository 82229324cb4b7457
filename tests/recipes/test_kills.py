"""kill -9 at random moments, while saving too: what is resumed ends bitwise equal to the run that nobody disturbed.

`python -m pytest tests/recipes/test_kills.py --kills 30` kills more often.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from restore.storage.checkpoint import open_checkpoint
from tests.commands import ENVIRONMENT, TINY, arguments, command

FLAGS = [*TINY, "--training.save-every", "1", "--training.preview-every", "50"]
STEPS = 24
"""For each kill."""


def state(run: Path) -> dict[str, torch.Tensor]:
    folder = open_checkpoint(run).folder
    return {
        f"{name}.{key}": value
        for name in ("ema", "training")
        for key, value in load_file(folder / f"{name}.safetensors").items()
    }


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def wait_for_a_step(run: Path, process: subprocess.Popen, log: Path) -> bool:
    """Until the process has trained a step; False if it came to its end."""
    seen = set(run.glob("checkpoints/step-*"))
    deadline = time.monotonic() + 120
    while set(run.glob("checkpoints/step-*")) <= seen:
        assert time.monotonic() < deadline, log.read_text()
        if process.poll() is not None:
            assert process.returncode == 0, log.read_text()
            return False
        time.sleep(0.002)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_runs_end_like_undisturbed_ones(processes, photo, tmp_path, request):
    kills = request.config.getoption("kills") or 1
    train = ["train", str(photo), *FLAGS, "--training.steps", str(STEPS * kills)]
    assert command(*train, "--out", "whole", cwd=tmp_path, processes=processes).returncode == 0
    whole, part, log = tmp_path / "whole", tmp_path / "part", tmp_path / "log"
    rng, done, saving, slowest = random.Random(0), 0, 0, 0.0
    while done < kills:
        if (part / "checkpoints").exists() and any((part / "checkpoints").glob("step-*")):
            args = ["resume", "part"]
        else:
            shutil.rmtree(part, ignore_errors=True)
            args = [*train, "--out", "part"]
        with open(log, "w") as output:
            line = arguments(*args, processes=processes)
            process = subprocess.Popen(line, cwd=tmp_path, env=ENVIRONMENT, stdout=output, stderr=output)
        if not wait_for_a_step(part, process, log):
            shutil.rmtree(part)  # it was through before its turn came: once more
            continue
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is not None:
            shutil.rmtree(part)
            continue
        victim = process.pid if processes == 1 else rng.choice(children(process.pid))
        os.kill(victim, signal.SIGKILL)
        before = time.monotonic()
        assert process.wait(timeout=60) != 0  # a dead rank takes the others with it within a minute
        slowest = max(slowest, time.monotonic() - before)
        done += 1
        saving += any((part / "checkpoints").glob(".step-*"))
    assert command("resume", "part", cwd=tmp_path, processes=processes).returncode == 0
    expected, found = state(whole), state(part)
    assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)
    for run in (whole, part):
        lines = (run / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == STEPS * kills // 2
    print(f"{done} kills of {processes} process(es), {saving} in the middle of saving; all ended {slowest:.1f} s after")
