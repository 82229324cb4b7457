"""Does a training by the clock end on time, and as well as one that was planned for its steps?

    python benchmarks/clock.py photo.png --minutes 2 --load-from-half

SinDiffusion's fast preset for so many minutes, with a busy process on one core from the middle on; then the same preset,
stretched to exactly the steps that it got, by steps, and undisturbed. 4 samples of each are judged. Linux only: it says which
core is busy. Samples stay in runs/clock.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from recipes import sindiffusion
from recipes.judge import HEADER, row
from restore import save_image
from restore.data.images import grid
from restore.evaluation.single_image import Judge, diversity, mean
from restore.run import Run
from restore.training.session import train

FOLDER = Path("runs/clock")


@dataclass(frozen=True)
class Bench:
    photo: tyro.conf.Positional[Path]
    """What to learn, at 128 px."""
    minutes: float = 2.0
    """Of training."""
    load_from_half: bool = False
    """A busy process on one core for the second half of them."""

    def __call__(self) -> None:
        shutil.rmtree(FOLDER, ignore_errors=True)
        recipe = sindiffusion.recipe(self.photo)
        start = time.perf_counter()
        with busy(30 * self.minutes) if self.load_from_half else nullcontext():
            timed = train(recipe, FOLDER / "timed", "cpu", self.minutes)
            ended = time.perf_counter() - start
        before = time.perf_counter()
        planned = train(replace(recipe, training=timed.recipe.training), FOLDER / "planned", "cpu")
        took = time.perf_counter() - before
        print(f"{describe()}\n\n{HEADER}")
        self.judged(f"{self.minutes:g} min: {timed.step} steps, ended after {ended:.1f} s", timed)
        self.judged(f"planned for {planned.step} steps, ended after {took:.1f} s", planned)

    def judged(self, name: str, run: Run) -> None:
        clean = run.read()
        samples = list(run.generate(count=4, progress=False))
        save_image(grid([clean, *samples], 5), run.folder / "judged.png")
        print(row(name, mean([*map(Judge(clean), samples)]), diversity(samples, clean)), flush=True)


@contextmanager
def busy(after: float) -> Iterator[None]:
    """A process that keeps one core busy, from `after` seconds on until the context ends."""
    core = max(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    started: list[subprocess.Popen] = []
    timer = threading.Timer(after, lambda: started.append(subprocess.Popen([sys.executable, "-c", code])))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        for process in started:
            process.kill()


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
