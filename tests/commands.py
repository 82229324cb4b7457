"""Recipes run as a user runs them: by command line, on one process or under torchrun."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

from tests import forked
from tests.forked import Program

ROOT = Path(__file__).resolve().parents[1]
TINY = [
    "--network.channels",
    "8",
    "--network.multipliers",
    "1",
    "2",
    "--network.kernels",
    "3",
    "3",
    "--data.crop",
    "16",
    "--data.size",
    "32",
    "--training.batch",
    "4",
    "--training.warmup",
    "1",
    "--training.save-every",
    "4",
    "--training.log-every",
    "2",
    "--training.layout",
    "channels-last",
    "--training.precision",
    "float32",
    "--sampling.steps",
    "2",
]
"""Flags that make SinDiffusion's fast preset a matter of milliseconds a step, and leave nothing to a trial."""


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", **forked.ON_A_CPU}
"""One thread of a CPU a process: the same arithmetic on one and on several. tests/on_device.py is for devices."""


def arguments(*args: str | Path, processes: int = 1) -> list[str]:
    """The command `python recipes/sindiffusion.py *args`, or the same under torchrun."""
    torchrun = [] if processes == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, *torchrun, str(ROOT / "recipes" / "sindiffusion.py"), *map(str, args)]


def start(*args: str | Path, cwd: Path, processes: int = 1, recipe: str = "sindiffusion") -> Program:
    """Starts `python recipes/sindiffusion.py *args`, or the same under torchrun, in processes that are forked."""
    return forked.start([str(ROOT / "recipes" / f"{recipe}.py"), *map(str, args)], cwd, processes)


def command(*args: str | Path, cwd: Path, processes: int = 1, recipe: str = "sindiffusion") -> CompletedProcess[str]:
    """Runs it to its end."""
    return start(*args, cwd=cwd, processes=processes, recipe=recipe).finish()
