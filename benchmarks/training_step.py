"""One training step of SinDiffusion's PatchUNet: this project's, in its variants, against the published code's.

    git clone https://github.com/WeilunWang/SinDiffusion elsewhere
    python benchmarks/training_step.py --published elsewhere/SinDiffusion

The same network (6,992,899 parameters), images and batch, AdamW and EMA. Rows have a process each and take turns in
rounds of one run, and each is compared with the published step of its own round: float32, without its checkpointing. On a GPU
also its float16 step.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import multiprocessing  # isort: skip
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import tyro
from published import Published
from torch import Tensor
from tqdm import tqdm

from degrade import GaussianNoise, LinearBeta
from models import PatchUNetConfig
from restore import Levels, Objective, Training
from restore.data.batch import Batch, Batches
from restore.machine.allocator import keep_freed_memory
from restore.training.trainer import Trainer

Step = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A step, as its process builds it."""

    name: str
    shape: tuple[int, int, int, int]
    device: str
    published: Path | None = None
    half: bool = False
    settings: Training | None = None
    compiled: bool = False

    def step(self) -> Step:
        if self.published:
            code, x = Published(self.published, self.device, self.half, rate=1e-5), images(self.shape, self.device)
            return lambda: code.step(x)
        assert self.settings
        return our_step(self.settings, self.shape, self.device, self.compiled)


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
        rows = []
        if self.published:
            rows.append(Row("published, float32", self.shape, self.device, self.published))
            if self.device == "cuda":
                rows.append(Row("published, float16", self.shape, self.device, self.published, half=True))
        for name, settings in {
            "float32": Training(precision="float32"),
            "float32, contiguous": Training(precision="float32", channels_last=False),
            "bfloat16": Training(precision="bfloat16"),
        }.items():
            rows.append(Row(name, self.shape, self.device, settings=settings))
            if self.compile:
                rows.append(Row(f"{name}, compiled", self.shape, self.device, settings=settings, compiled=True))
        times = in_turns(rows, self.rounds)
        first = rows[0].name
        print(f"{describe(self.device)}\nbatch {' x '.join(map(str, self.shape))}\n")
        print(f"| step | seconds | {first} takes so many times as long |\n| --- | --- | --- |")
        for name, seconds in times.items():
            ratio = statistics.median(a / b for a, b in zip(times[first], seconds, strict=True))
            print(f"| {name} | {statistics.median(seconds):.3f} | {ratio:.2f} |")


def in_turns(rows: list[Row], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step; each row has a process of its own, and they take turns, three times uncounted."""
    context = multiprocessing.get_context("spawn")
    lines, times = {}, {row.name: [] for row in rows}
    for row in rows:
        lines[row.name], theirs = context.Pipe()
        context.Process(target=serve, args=(row, theirs), daemon=True).start()
        theirs.close()  # so that a process which is gone is found out
    for i in tqdm(range(-3, rounds), unit="round"):
        for name, line in lines.items():
            try:
                line.send("step")
                seconds = line.recv()
            except (EOFError, OSError):
                sys.exit(f"error: the process of the row {name!r} is gone; what it said stands above.")
            if i >= 0:
                times[name].append(seconds)
    return times


def serve(row: Row, line: Connection) -> None:
    """Takes a step whenever it is asked to, and answers with its seconds, until the asking process ends."""
    step = row.step()
    with suppress(EOFError, BrokenPipeError):
        while line.recv():
            before = time.perf_counter()
            step()
            if row.device == "cuda":
                torch.cuda.synchronize()
            line.send(time.perf_counter() - before)


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
