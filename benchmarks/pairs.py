"""Learning from pairs whose degradation is not known: InDI, a bridge and regression, in several steps, on pairs not trained on.

    python benchmarks/pairs.py photographs --minutes 5
    python benchmarks/pairs.py photographs --paired halftone --out runs/halftone --minutes 5
    python benchmarks/pairs.py clean/ --paired degraded/ --test clean-test/ --paired-test degraded-test/

Each is trained for the same minutes with the same network (recipes/pairs.py): regression at t = 1 alone. The papers claim that
few steps are nearer to the truth (PSNR), and that more look more like pictures (Frechet distance).
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor

from degrade import Bridge, Stream, seeded
from recipes import pairs
from restore import Recipe, Run, save_image, train
from restore.data import bundled
from restore.data.images import grid
from restore.data.sources import Folder
from restore.evaluation.features import frechet_distance, of_classifier, of_patches
from restore.evaluation.metrics import psnr, ssim
from restore.run import open_trained


@dataclass(frozen=True)
class Bench:
    clean: tyro.conf.Positional[Path]
    """Folder of clean pictures, or the name of a set."""
    paired: Path | None = None
    """Folder of the degraded ones, or the name of a set (default: jpeg)."""
    test: Path | None = None
    """Folder of clean pictures that are not trained on (default: the set's)."""
    paired_test: Path | None = None
    """Folder of these, degraded."""
    minutes: float = 5
    """Of each training; what was trained before is opened again."""
    images: int = 128
    """Crops of the test pictures."""
    steps: tuple[int, ...] = (1, 2, 10, 50)
    """Of the walk."""
    features: Literal["classifier", "patches"] = "patches"
    """Of the Frechet distance: those of a classifier, which is trained first and hardly sees a JPEG, or the gradients in
    patches."""
    out: Path = Path("runs/pairs")
    """Folder for the runs and the picture."""

    def __call__(self) -> None:
        runs = {name: self.trained(name, recipe) for name, recipe in self.recipes()}
        data = runs["InDI"].recipe.data
        assert isinstance(data, Folder)
        test = self.test or bundled.located(self.clean, "test")
        paired = self.paired_test or bundled.located(self.paired or "jpeg", "test")
        batch = data.open(test, "cpu", paired).draw(self.images, seeded(0, Stream.TEST))
        clean, (degraded,) = batch.x0, batch.x1
        trained = self.features == "classifier"
        features = of_classifier(replace(data, labelled=False), bundled.located(self.clean), test) if trained else of_patches()
        reference = features.extract(clean)
        print(f"{describe()}\n{len(clean)} crops {tuple(clean.shape[1:])}; Frechet distance: {features.name}\n")
        print(f"| restored by | steps | PSNR, dB | SSIM | Frechet distance | s |\n{'| --- ' * 6}|")
        shown = [clean, degraded]

        def row(name: str, steps: str, x: Tensor, seconds: float) -> None:
            distance = frechet_distance(features.extract(x), reference)
            values = f"{psnr(x, clean).mean():.2f} | {ssim(x, clean).mean():.3f} | {distance:.3f} | {seconds:.1f}"
            print(f"| {name} | {steps} | {values} |", flush=True)

        row("nothing", "", degraded, 0)
        for name, run in runs.items():
            for steps in self.steps if name != "regression" else (1,):
                begun = time.perf_counter()
                x = torch.cat([run.using(steps=steps).restore(y, 1.0, progress=False) for y in degraded.split(32)])
                row(name, str(steps), x, time.perf_counter() - begun)
                if steps in (1, 10):
                    shown.append(x)
        rows = [column[i] for i in range(8) for column in shown]
        print(f"\nclean, degraded, and what was made of it: {save_image(grid(rows, len(shown)), self.out / 'pairs.png')}")

    def recipes(self) -> Iterator[tuple[str, Recipe]]:
        known = {
            "InDI": pairs.recipe(self.clean),
            "I2SB": pairs.recipe(self.clean, "fast", Bridge()),
            "regression": pairs.recipe(self.clean, "regression"),
        }
        for name, recipe in known.items():
            yield name, replace(recipe, paired=self.paired or recipe.paired)

    def trained(self, name: str, recipe: Recipe) -> Run:
        folder = self.out / name
        if not folder.exists():
            train(recipe, folder, minutes=self.minutes)
        return open_trained(folder, "cpu")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
