"""Memory, open files and child processes of a long training, sampled every ten seconds.

    python benchmarks/soak.py photo.png --minutes 20

A training with frequent checkpoints and previews runs in a process of its own; the slope of its memory after a warm-up of two
minutes is fitted by least squares. Linux only: it reads /proc.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import signal  # isort: skip
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parents[1]
WARMUP = 120


@dataclass(frozen=True)
class Soak:
    photo: tyro.conf.Positional[Path]
    """What to learn."""
    minutes: float = 20.0
    """How long."""

    def __call__(self) -> None:
        folder = Path(tempfile.mkdtemp()) / "run"
        flags = "--training.steps 1000000 --training.save-every 100 --training.preview-every 300 --training.log-every 20"
        line = [sys.executable, str(ROOT / "recipes/sindiffusion.py"), "train", str(self.photo), "--out", str(folder)]
        process = subprocess.Popen([*line, *flags.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        home, rows = Path(f"/proc/{process.pid}"), []
        start = time.monotonic()
        while time.monotonic() - start < 60 * self.minutes:
            time.sleep(10)
            status = dict(row.split(":", 1) for row in (home / "status").read_text().splitlines())
            resident = int(status["VmRSS"].split()[0]) / 1024
            children = (home / f"task/{process.pid}/children").read_text().split()
            rows.append((time.monotonic() - start, resident, len(list((home / "fd").iterdir())), len(children)))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
        seconds, memory, files, children = np.array([row for row in rows if row[0] > WARMUP]).T
        slope, _ = np.polyfit(seconds / 60, memory, 1)
        steps = max(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").iterdir())
        print(describe())
        print(f"{steps} steps, {steps // 100} checkpoints and {steps // 300} previews in {self.minutes:g} minutes")
        print(f"memory {memory[0]:.0f} to {memory[-1]:.0f} MiB (most {memory.max():.0f}): {slope:+.3f} MiB a minute")
        counts = (f"{name} {n.min():.0f} to {n.max():.0f}" for name, n in (("open files", files), ("children", children)))
        print(", ".join(counts))


if __name__ == "__main__":
    tyro.cli(Soak, description=__doc__)()
