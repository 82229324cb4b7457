"""New images of photographs without training, beside other methods' samples: the four figures, seconds and memory of each.

    python benchmarks/single_image.py places/*.jpg --peers samples/gpnn samples/singan --out made
    python benchmarks/single_image.py places/*.jpg --novelty 0 .25 .5 .75 1 --every 4

A peer's sample of PHOTO.jpg is PEER/PHOTO.png. One sample of each photograph, seed 0, judged on its own (recipes/judge.py).
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import resource  # isort: skip
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import tyro
from torch import Tensor

from restore import closed_form, load_image, save_image
from restore.evaluation.single_image import Judge
from restore.patches.settings import dialled

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


def main(
    photographs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    peers: tuple[Path, ...] = (),
    novelty: tuple[float, ...] = (0.25,),
    detail: int = 250,
    every: int = 1,
    out: Path | None = None,
) -> None:
    """Prints a row for each photograph and method, then the means."""
    print(describe(), f"\n\n| method | photograph | {' | '.join(FIGURES)} | s |\n|{' --- |' * (len(FIGURES) + 3)}")
    methods = [Rows(f"novelty {value:g}", []) for value in novelty] + [Rows(peer.name, []) for peer in peers]
    for path in photographs:
        judge = Judge(load_image(path, detail), every)
        for rows, value in zip(methods, novelty, strict=False):
            begun = time.perf_counter()
            image = closed_form(path, detail, dialled(value)).generate(progress=False)[0]
            seconds = time.perf_counter() - begun
            if out:
                save_image(image, out / rows.name.replace(" ", "-") / f"{path.stem}.png")
            rows.add(path.stem, judge, image, seconds)
        for rows, peer in zip(methods[len(novelty) :], peers, strict=True):
            rows.add(path.stem, judge, load_image(peer / f"{path.stem}.png"))
    print("\n".join(rows.mean() for rows in methods))
    print(f"\nmost memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, the judge's included")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
