"""What simple diffusion's parts are worth here: a small U-ViT with and without each of them, at equal training seconds.

    python benchmarks/ablation.py --minutes 1.5

Digits at 16 px, unconditional; 360 samples against the 360 test images, by the features of one small classifier. The table is
also written to runs/ablation.md.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from degrade import GaussianNoise, ShiftedCosine
from degrade.files import atomic_write
from models import PatchStem, WaveletStem
from recipes import simple_diffusion
from restore import Objective, save_image
from restore.data import bundled
from restore.data.images import grid
from restore.evaluation.features import frechet_distance, of_classifier, squares
from restore.recipe import Recipe
from restore.training.session import train


@dataclass(frozen=True)
class Bench:
    minutes: float = 1.5
    """Of training, each."""
    images: int = 360
    """Samples, and test images."""
    seeds: tuple[int, ...] = (0,)
    """Trainings of each, from these seeds."""
    folder: Path = Path("runs/ablation")
    """Where trainings and samples go; what is there is replaced."""

    def __call__(self) -> None:
        base = simple_diffusion.recipe("digits")
        data = replace(base.data, labelled=False)  # type: ignore[type-var]
        base = replace(base, data=data, sampling=replace(base.sampling, guidance=1.0))
        test = bundled.located("digits", "test")
        clean = torch.stack(list(squares(base.data, test, self.images)))
        features = of_classifier(base.data, bundled.located("digits"), test)
        rows = ["| variant | seed | steps | Frechet distance |", "| --- | --- | --- | --- |"]
        reference = features.extract(clean)
        for name, recipe in variants(base).items():
            for seed in self.seeds:
                folder = self.folder / f"{name.replace(' ', '-')}-{seed}"
                shutil.rmtree(folder, ignore_errors=True)
                quiet = replace(recipe.training, seed=seed, preview_every=10**8, save_every=10**8)
                run = train(replace(recipe, training=quiet), folder, "cpu", self.minutes)
                made = run.generate(count=self.images, batch=60, progress=False)
                save_image(grid(list(made[:40]), 10), folder / "samples.png")
                rows.append(f"| {name} | {seed} | {run.step} | {frechet_distance(features.extract(made), reference):.2f} |")
                print(rows[-1])
        text = "\n".join([describe(), "", *rows, "", f"{features.name}; {self.minutes} minutes each."])
        with atomic_write(self.folder / "ablation.md") as part:
            part.write_text(text + "\n", encoding="utf-8")
        print(text)


def variants(base: Recipe) -> dict[str, Recipe]:
    """A U-ViT under the schedule shifted to 64 px, and the same with one part of simple diffusion added or taken away."""
    size = base.data.size
    base = replace(base, stem=None, degradation=GaussianNoise(ShiftedCosine(size, 64, 64)))
    return {
        "U-ViT, shifted to 64": base,
        "unshifted schedule": replace(base, degradation=GaussianNoise(ShiftedCosine(size, size, size))),
        "multiscale loss": replace(base, objective=Objective(coarsest=4)),
        "loss in eps space": replace(base, objective=Objective(weight="eps")),
        "wavelet stem": replace(base, stem=WaveletStem()),
        "patch stem": replace(base, stem=PatchStem()),
        "residual U-ViT": replace(base, network=replace(base.network, skips="levels")),  # type: ignore[type-var]
    }


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
