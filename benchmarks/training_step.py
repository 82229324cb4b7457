"""One training step of SinDiffusion's PatchUNet: this project's against the published code's, each in both memory layouts.

    git clone https://github.com/WeilunWang/SinDiffusion elsewhere
    python benchmarks/training_step.py --published elsewhere/SinDiffusion

The same network (6,992,899 parameters), images and batch, AdamW and EMA; the published step without its checkpointing, on a GPU
also in float16. Rows have a process each and take turns in rounds of one step, and are compared within their round. At the end
the fastest rows of both stand against each other.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import math  # isort: skip
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from processes import Worker
from published import Published
from torch import Tensor
from tqdm import tqdm

from degrade import GaussianNoise, LinearBeta
from models import PatchUNetConfig
from restore import Levels, Objective, Training
from restore.data.batch import Batch, Batches
from restore.machine.allocator import keep_freed_memory
from restore.restorer import Precision
from restore.training.choice import HOPELESS, Layout
from restore.training.trainer import Trainer
from restore.training.trial import bfloat16_is_hopeless

Step = Callable[[], object]
LAYOUTS: tuple[Layout, ...] = ("contiguous", "channels-last")
LONGEST = 300.0
"""Seconds that a step may take, its process's start included."""


@dataclass(frozen=True)
class Row:
    """A step, as its process builds it."""

    shape: tuple[int, int, int, int]
    device: str
    layout: Layout
    precision: Precision | Literal["float16"] = "float32"
    published: Path | None = None
    compiled: bool = False
    captured: bool = False

    @property
    def name(self) -> str:
        whose, how = "published" if self.published else "ours", ", compiled" * self.compiled + ", captured" * self.captured
        return f"{whose}, {self.layout}, {self.precision}{how}"

    def timed(self) -> Callable[[], float]:
        """Takes a step, and gives its seconds."""
        step = self.step()

        def seconds() -> float:
            before = time.perf_counter()
            step()
            if self.device.startswith("cuda"):
                torch.cuda.synchronize(self.device)
            return time.perf_counter() - before

        return seconds

    def step(self) -> Step:
        if self.published:
            form = torch.channels_last if self.layout == "channels-last" else torch.contiguous_format
            code, x = (
                Published(self.published, self.device, self.precision == "float16", 1e-5, form),
                images(self.shape, self.device),
            )
            return lambda: code.step(x)
        assert self.precision != "float16"
        settings = Training(layout=self.layout, precision=self.precision, captured=self.captured)
        return our_step(settings, self.shape, self.device, self.compiled)


class Here:
    """A row in this process, in place of a `Worker`."""

    def __init__(self, name: str, make: Callable[[], Callable[[], float]]) -> None:
        self.name, self.call = name, make()

    def ask(self, limit: float | None = None) -> float:
        return self.call()

    def end(self) -> None:
        """Nothing is left to end."""


def rows(
    shape: tuple[int, int, int, int], device: str, published: Path | None, compiled: bool = False, captured: bool = False
) -> list[Row]:
    """The published step in what it can be run in, then ours."""
    every = [Row(shape, device, layout, precision, published) for precision, layout in theirs(device) if published]
    ways: list[dict[str, bool]] = [{}] + [{"compiled": True}] * compiled + [{"captured": True}] * captured
    for precision in ("float32",) if bfloat16_is_hopeless(device) else ("float32", "bfloat16"):
        every += [Row(shape, device, layout, precision, **way) for way in ways for layout in LAYOUTS]  # type: ignore[arg-type]
    return every


def theirs(device: str) -> list[tuple[Literal["float32", "float16"], Layout]]:
    """What the published step is measured in."""
    halves: list[tuple[Literal["float32", "float16"], Layout]] = [("float16", layout) for layout in LAYOUTS]
    return [("float32", layout) for layout in LAYOUTS] + (halves if device.startswith("cuda") else [])


@dataclass(frozen=True)
class Bench:
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""
    shape: tuple[int, int, int, int] = (1, 3, 164, 248)
    """Batch, channels, height, width."""
    rounds: int = 9
    """Times that each row is measured; the median of its ratios counts."""
    compile: bool = False
    """Also with torch.compile."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    def __call__(self) -> None:
        every = rows(self.shape, self.device, self.published, self.compile, captured=self.device.startswith("cuda"))
        left_out = all(row.precision == "float32" for row in every if not row.published)
        times = in_turns(every, self.rounds)
        first = next(iter(times))
        print(f"{describe(self.device)}\nbatch {' x '.join(map(str, self.shape))}\n")
        print(f"| step | seconds | {first} takes so many times as long |\n| --- | --- | --- |")
        for name, seconds in times.items():
            print(f"| {name} | {statistics.median(seconds):.3f} | {ratio(times[first], seconds):.2f} |")
        if left_out:
            print(f"\nbfloat16 is left out: a small convolution takes over {HOPELESS:g} times as long as in float32.")
        if self.published:
            ours, theirs = (best(times, names(every, times, whose)) for whose in (False, True))
            print(
                f"\nours at its best / published at its best: {ratio(times[theirs], times[ours]):.2f} times ({ours}; {theirs})"
            )


def names(rows: list[Row], times: dict[str, list[float]], published: bool) -> list[str]:
    """Those of the rows that were measured, of ours or of the published code."""
    return [row.name for row in rows if bool(row.published) == published and row.name in times]


def best(times: dict[str, list[float]], names: list[str]) -> str:
    """The fastest of the rows, by the median."""
    return min(names, key=lambda name: statistics.median(times[name]))


def ratio(slow: list[float], fast: list[float]) -> float:
    """The median, over the rounds, of how many times as long `slow` takes."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def in_turns(rows: list[Row], rounds: int, alone: bool = True, until: float = math.inf) -> dict[str, list[float]]:
    """Seconds of each step, in turns, the first five uncounted; each row has a process of its own, unless not `alone`.

    A row whose process is gone is left out, with a line. No round begins after `until` (of `time.time()`), but for the first
    that counts.
    """
    workers = [(Worker if alone else Here)(row.name, row.timed) for row in rows]
    times: dict[str, list[float]] = {row.name: [] for row in rows}
    for i in tqdm(range(-5 if alone else 0, rounds), unit="round"):
        if time.time() > until and i != 0:
            continue
        for worker in tuple(workers):
            try:
                seconds = worker.ask(min(LONGEST, max(1.0, until - time.time())) if i < 0 else LONGEST)
            except SystemExit as gone:
                print(gone, file=sys.stderr)
                workers.remove(worker)
                del times[worker.name]
                continue
            if i >= 0:
                times[worker.name].append(seconds)
    for worker in workers:
        worker.end()
    if not times:
        sys.exit("error: no step could be measured.")
    return times


def images(shape: tuple[int, ...], device: str) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1


def our_step(settings: Training, shape: tuple[int, ...], device: str, compiled: bool = False) -> Step:
    keep_freed_memory()  # as the loop does
    x = images(shape, device)
    settings = replace(settings, batch=shape[0], times=Levels(1000), rate=1e-5)
    network = PatchUNetConfig().build()
    trainer = Trainer(network, GaussianNoise(LinearBeta(1000)), "eps", Objective(), settings, device)
    if compiled:
        trainer.network.compile()
    batches = Batches(lambda count, generator, shard=slice(None): Batch(x[shard]), x)
    return lambda: trainer.train_step(batches)


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
