"""Time and memory of images larger than memory, against their pixels.

    python benchmarks/canvas.py runs/photo --megapixels 1 4 16 64 --steps 2

A run with a strictly local network (SinDiffusion's fast preset), square images, a process for each: the walk in tiles, and the
PNG.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import tempfile  # isort: skip
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from processes import alone

from recipes.command.panorama import Panorama
from restore.machine.memory import used_memory


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    megapixels: tuple[int, ...] = (1, 4, 16)
    """Sizes, in units of 1024 x 1024 pixels; squares."""
    steps: int = 2
    """Steps of the walk."""
    tile: int = 512
    """Side of the tiles, pixels."""

    def __call__(self) -> None:
        print(f"{describe()}\n\n| pixels | s | s a megapixel | peak memory, GiB | PNG, MiB |\n| --- | --- | --- | --- | --- |")
        for number in self.megapixels:
            side = round(1024 * number**0.5)
            seconds, memory, size = alone(f"{side} x {side}", make, self, side)
            figures = f"{seconds:.0f} | {seconds / number:.1f} | {memory / 2**30:.2f} | {size / 2**20:.0f}"
            print(f"| {side} x {side} | {figures} |", flush=True)


def make(bench: Bench, side: int) -> tuple[float, int, int]:
    Path("runs").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="runs") as folder:
        path, before = Path(folder) / "image.png", time.perf_counter()
        Panorama(bench.run, (side, side), bench.steps, tile=bench.tile, out=path)()
        return time.perf_counter() - before, used_memory(), path.stat().st_size


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
