"""Whether the trial at the start of a training (restore/training/trial.py) chooses what is fastest in the long run.

    python benchmarks/trial.py photo.jpg --preset fast

Steps of the recipe's network in every layout and precision, in turns, once for long; then starts of the trial, a process each.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import statistics  # isort: skip
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from processes import alone
from tqdm import tqdm

from recipes import sindiffusion
from recipes.command.training import Preset
from restore.data.bundled import bundled_photograph
from restore.machine.allocator import keep_freed_memory
from restore.recipe import Recipe
from restore.training.choice import Choice, chosen
from restore.training.trial import Copy, bfloat16_is_hopeless, decided


@dataclass(frozen=True)
class Bench:
    photo: tyro.conf.Positional[Path | None] = None
    """What is learned (default: the photograph of scikit-image)."""
    preset: Preset = "fast"
    """Of SinDiffusion."""
    size: int | None = None
    """The longer side of the image, pixels (default: the preset's)."""
    batch: int = 1
    """Images of a step."""
    rounds: int = 15
    """Turns of each candidate in the long run, four steps each, the first uncounted."""
    starts: int = 10
    """Of the trial."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    def __call__(self) -> None:
        photo = self.photo or bundled_photograph()
        recipe = sindiffusion.recipe(photo, self.preset)
        recipe = replace(recipe, training=replace(recipe.training, batch=self.batch, layout="auto", precision="auto"))
        if self.size is not None:
            recipe = replace(recipe, data=replace(recipe.data, size=self.size))  # type: ignore[type-var]
        turns = alone("the long run", steady, recipe, self.rounds, self.device)
        medians = {choice: statistics.median(seconds) for choice, seconds in turns.items()}
        print(f"{describe(self.device)}\npreset {self.preset}, batch {self.batch}\n")
        print("| candidate | seconds a step |\n| --- | --- |")
        for choice, seconds in medians.items():
            print(f"| {choice} | {seconds:.4f} |")
        usual = Choice("channels-last", "float32")
        expected, picks = chosen(turns, usual), []
        print(f"\nby the long run, and the margins of the trial: {expected}\n", flush=True)
        for start in range(self.starts):
            pick, took = alone(f"start {start}", started, recipe, self.device)
            picks.append(pick)
            print(f"start {start}: {pick}, {took:.1f} s", flush=True)
        worst = max(medians.get(pick, float("inf")) for pick in picks) / min(medians.values())
        print(f"\n{picks.count(expected)} of {len(picks)} starts chose it")
        print(f"the slowest of their choices takes {worst:.2f} times as long as the fastest candidate")


def steady(recipe: Recipe, rounds: int, device: str) -> dict[Choice, list[float]]:
    """Seconds of a step of each candidate, the median of each of its turns."""
    keep_freed_memory()
    batches, _ = recipe.open(device)
    copy = Copy(recipe, batches, device, recipe.training.batch)
    halves = [] if bfloat16_is_hopeless(device) else ["bfloat16"]
    candidates = [Choice(layout, precision) for precision in ["float32", *halves] for layout in ("channels-last", "contiguous")]  # type: ignore[arg-type]
    turns: dict[Choice, list[float]] = {choice: [] for choice in candidates}
    for turn in tqdm(range(-1, rounds), unit="round"):
        for choice in candidates:
            steps = []
            for _ in range(4):
                before = time.perf_counter()
                copy.step(choice)
                steps.append(time.perf_counter() - before)
            if turn >= 0:
                turns[choice].append(statistics.median(steps[1:]))
    return turns


def started(recipe: Recipe, device: str) -> tuple[Choice, float]:
    """What a training would begin with, and the seconds until then."""
    batches, _ = recipe.open(device)
    before = time.perf_counter()
    training = decided(recipe, batches, device).training
    return Choice(training.layout, training.precision), time.perf_counter() - before  # type: ignore[arg-type]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
