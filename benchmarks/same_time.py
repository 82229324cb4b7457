"""Does a commit take longer than another? A training step and walks of both, in turns, as a ratio; and do they give the same?

    python benchmarks/same_time.py main~20 main
    python benchmarks/same_time.py v0.1 HEAD --only walk --rounds 40

Each commit is checked out beside the other, each row of each has a process of its own, and both take turns within a round. What
counts is the processor's time, of which other programs take nothing. `overhead` has networks so small that what is around them
counts. A row needs what both commits have under the same names. Numbers of many steps: benchmarks/same_numbers.py.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import hashlib  # isort: skip
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from processes import Worker
from same_numbers import checked_out, photograph

ROWS = {
    "step": "a training step of SinDiffusion's fast preset",
    "step, overhead": "the same of a network of 8 channels, on crops of 32 px",
    "walk": "5 steps of DDPM at 96 x 128 with that preset's network",
    "walk, overhead": "25 steps of DDIM at 32 x 40 with a network of 8 channels",
}


@dataclass(frozen=True)
class SameTime:
    before: tyro.conf.Positional[str]
    """A commit."""
    after: tyro.conf.Positional[str]
    """Another."""
    rounds: int = 15
    """Times that each is measured; the median of the ratios counts."""
    only: str | None = None
    """One of the rows (default: all)."""

    def __call__(self) -> None:
        if self.only not in (None, *ROWS):
            sys.exit(f"error: there is no row {self.only!r}: these are {', '.join(map(repr, ROWS))}.")
        print(f"{describe()}\n\n| | before, ms | after, ms | before / after | |\n| --- | --- | --- | --- | --- |")
        with checked_out(self.before, self.after) as homes:
            for name in ROWS if self.only is None else (self.only,):
                workers = [Worker(f"{name}, {home.name}", Row(home, name).opened) for home in homes]
                found = [[worker.ask() for worker in workers] for _ in range(3 + self.rounds)]
                for worker in workers:
                    worker.end()
                times = [[seconds for seconds, _ in both] for both in found[3:]]
                ratio = statistics.median(first / second for first, second in times)
                first, second = (1000 * statistics.median(column) for column in zip(*times, strict=True))
                same = all(one[1] == other[1] for one, other in found)
                print(
                    f"| {name} | {first:.1f} | {second:.1f} | {ratio:.3f} | {'the same' if same else 'OTHER numbers'} |",
                    flush=True,
                )


@dataclass(frozen=True)
class Row:
    """What a commit, its files in `home`, is to do."""

    home: Path
    name: str

    def opened(self) -> Callable[[], tuple[float, str]]:
        """Does it once, and gives the processor's seconds and a digest of what came out."""
        sys.path.insert(0, str(self.home))
        call = (self.step if self.name.startswith("step") else self.walk)(self.name.endswith("overhead"))

        def timed() -> tuple[float, str]:
            before = time.process_time()
            found = call()
            seconds = time.process_time() - before
            return seconds, hashlib.sha256(found.numpy().tobytes()).hexdigest()

        return timed

    def recipe(self, small: bool) -> Any:
        from models import PatchUNetConfig
        from recipes import sindiffusion
        from restore import Crops

        recipe = sindiffusion.recipe(photograph())
        training = replace(recipe.training, layout="channels-last", precision="float32")
        if not small:
            return replace(recipe, training=training)
        network = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), patch=2, norm="pixel")
        return replace(recipe, data=Crops(size=64, crop=32), network=network, training=training)

    def step(self, small: bool) -> Callable[[], Any]:
        recipe = self.recipe(small)
        batches, _ = recipe.open("cpu")
        trainer = recipe.trainer("cpu")
        return lambda: trainer.train_step(batches)[0]

    def walk(self, small: bool) -> Callable[[], Any]:
        import torch

        from degrade import Cosine, GaussianNoise, State, seeds
        from restore import Restorer
        from samplers import DDIM, DDPM, sample, uniform

        torch.manual_seed(0)
        network = self.recipe(small).network.build().eval().to(memory_format=torch.channels_last)
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.05)
        noise = GaussianNoise(Cosine())
        restore = Restorer(network, noise, "v", "float32")
        x = torch.randn((1, 3, 32, 40) if small else (1, 3, 96, 128))
        sampler, times = (DDIM(), uniform(25)) if small else (DDPM(), uniform(5))
        start = State(x, noise.draw(x, seeds(0, 1)))
        return lambda: sample(sampler, restore, noise, start, times, generator=seeds(0, 1))


if __name__ == "__main__":
    tyro.cli(SameTime, description=__doc__)()
