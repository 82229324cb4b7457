"""New images of photographs, without training and after minutes of it, beside others' samples: figures, seconds, memory.

    python benchmarks/single_image.py places/*.jpg --peers samples/gpnn samples/singan --out made
    python benchmarks/single_image.py places/*.jpg --novelty 0 .25 .5 .75 1 --every 4
    python benchmarks/single_image.py places/*.jpg --novelty --minutes 4 --detail 128 --peers samples/singan
    python benchmarks/single_image.py places/*.jpg --novelty --minutes 15 --preset best --peers samples/singan

`--steps 2300` in place of `--minutes 4` trains what two free cores take four minutes for, on a machine that is busy.
A peer's sample of PHOTO.jpg is PEER/PHOTO.png. One sample of each photograph, seed 0, judged on its own (recipes/judge.py).
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import resource  # isort: skip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import tyro
from torch import Tensor

from recipes import sindiffusion
from recipes.sindiffusion import Preset
from restore import closed_form, load_image, open_run, save_image, train
from restore.evaluation.single_image import Judge
from restore.patches.settings import dialled
from restore.pipelines.likeness import LikenessPrior

FIGURES = ("coherence", "completeness", "swd", "copied", "copied_near")


@dataclass(frozen=True)
class Rows:
    """The rows of one method, as they are printed."""

    name: str
    found: list[list[float]]

    def add(self, photograph: str, judge: Judge, sample: Tensor, seconds: float | None = None) -> None:
        report = judge(sample)
        self.found.append([getattr(report, figure) for figure in FIGURES])
        print(row(self.name, photograph, self.found[-1], seconds), flush=True)

    def mean(self) -> str:
        return row(self.name, "mean", [fmean(column) for column in zip(*self.found, strict=True)], None)


def row(method: str, photograph: str, figures: Sequence[float], seconds: float | None) -> str:
    cells = [f"{value:.{3 if 'copied' in name else 4}f}" for name, value in zip(FIGURES, figures, strict=True)]
    return f"| {method} | {photograph} | {' | '.join(cells)} | {'' if seconds is None else f'{seconds:.1f}'} |"


def untrained(novelty: float, detail: int, photograph: Path) -> Tensor:
    return closed_form(photograph, detail, dialled(novelty)).generate(progress=False)[0]


def trained(
    preset: Preset, minutes: float | None, steps: int | None, detail: int, runs: Path, likeness: bool, photograph: Path
) -> Tensor:
    """A sample of one of SinDiffusion's presets; what was trained before is opened again."""
    folder = runs / photograph.stem
    if not folder.exists():
        recipe = sindiffusion.recipe(photograph, preset)
        if steps:
            recipe = replace(recipe, training=recipe.training.stretched(steps))
        train(replace(recipe, data=replace(recipe.data, size=detail)), folder, minutes=minutes)  # type: ignore[type-var]
    run = open_run(folder)
    if not likeness and isinstance(run.prior, LikenessPrior):
        run = replace(run, prior=run.prior.own)
    return run.generate(progress=False)[0]


def made_by(peer: Path, detail: int, photograph: Path) -> Tensor:
    """Another method's sample."""
    return load_image(peer / f"{photograph.stem}.png", detail)


def main(
    photographs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    peers: tuple[Path, ...] = (),
    novelty: tuple[float, ...] = (0.25,),
    minutes: float | None = None,
    steps: int | None = None,
    preset: Preset = "fast",
    detail: int = 250,
    every: int = 1,
    out: Path = Path("runs/single-image"),
) -> None:
    """Prints a row for each photograph and method, then the means; pictures and runs are in `out`.

    novelty: places of the dial, without training. minutes, or steps: SinDiffusion's `preset`, trained so long on each
    photograph, with and without its likeness. detail: the longer side of photographs and peers' samples, pixels. every: of the
    patches, judged.
    """
    print(describe(), f"\n\n| method | photograph | {' | '.join(FIGURES)} | s |\n|{' --- |' * (len(FIGURES) + 3)}")
    methods: dict[str, Callable[[Path], Tensor]] = {
        f"novelty {value:g}": partial(untrained, value, detail) for value in novelty
    }
    if minutes or steps:
        for name, likeness in (("trained", True), ("without likeness", False)):
            methods[name] = partial(trained, preset, minutes, steps, detail, out / "runs", likeness)
    for peer in peers:
        methods[peer.name] = partial(made_by, peer, detail)
    rows = [Rows(name, []) for name in methods]
    for path in photographs:
        judge = Judge(load_image(path, detail), every)
        for row_of, make in zip(rows, methods.values(), strict=True):
            begun = time.perf_counter()
            image = make(path)
            seconds = time.perf_counter() - begun
            save_image(image, out / row_of.name.replace(" ", "-") / f"{path.stem}.png")
            row_of.add(path.stem, judge, image, seconds)
    print("\n".join(row_of.mean() for row_of in rows))
    print(f"\nmost memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, the judge's included; {out}")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
