"""Sampling to equal quality: samplers and steps against coherence and completeness, and the time of 1000 published calls.

    python recipes/sindiffusion.py train photo.png --data.size 250 --out runs/large
    python benchmarks/sampling_quality.py runs/large --published elsewhere/SinDiffusion

Each row makes `--count` samples of the training image's size from the same seeds. The last column says how often its time for
one image fits into 1000 float32 calls of the published network at that size, timed in the same run.
"""

from __future__ import annotations

from machine import describe, seconds  # first: finds the project's packages

import time  # isort: skip
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from published import Published

from restore import save_image
from restore.data.images import grid
from restore.evaluation.single_image import Judge, mean
from restore.run import open_run
from samplers import DDIM, DDPM, DPMSolver, Sampler

ROWS: dict[str, tuple[Sampler, int]] = {
    "DDPM, 1000 steps": (DDPM("small"), 1000),
    "DDPM, 50": (DDPM("small"), 50),
    "DDPM, 25": (DDPM("small"), 25),
    "DDPM, 15": (DDPM("small"), 15),
    "DDIM, 50": (DDIM(), 50),
    "DDIM, 20": (DDIM(), 20),
    "DPM-Solver++, 20": (DPMSolver(), 20),
    "DPM-Solver++, 10": (DPMSolver(), 10),
}


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A trained run."""
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""
    count: int = 2
    """Samples a row."""
    every: int = 4
    """Look up only every so many-th patch, among all others."""

    def __call__(self) -> None:
        run = open_run(self.run)
        clean, (channels, height, width) = run.read(), run.size
        judge = Judge(clean, self.every)
        thousand = float("nan")
        if self.published:
            network = Published(self.published).network.eval()
            shape = (1, channels, -(-height // 8) * 8, -(-width // 8) * 8)
            x, t = torch.randn(shape), torch.zeros(1)
            with torch.no_grad():
                thousand = 1000 * seconds(lambda: network(x, t), 5)
        print(f"{describe()}\n{height} x {width}; 1000 published calls: {thousand:.0f} s\n")
        print("| sampler | s an image | coherence | against the first | completeness | copied | 1000 published calls take |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        first = 0.0
        for name, (sampler, steps) in ROWS.items():
            before = time.perf_counter()
            images = list(run.using(steps=steps, sampler=sampler).generate(count=self.count, batch=1))
            each = (time.perf_counter() - before) / self.count
            report = mean([*map(judge, images)])
            first = first or report.coherence
            print(
                f"| {name} | {each:.2f} | {report.coherence:.4f} | {report.coherence / first - 1:+.1%} | "
                f"{report.completeness:.4f} | {report.copied:.3f} | {thousand / each:.0f} times as long |"
            )
            save_image(grid([clean, *images]), self.run / "sampling-quality" / f"{name}.png")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
