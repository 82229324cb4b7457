"""How good are samples of a single-image model? Weight-free figures, for samples of any method.

    python recipes/judge.py photo.jpg samples/*.png
    python recipes/judge.py photo.jpg others/*.png --size 250

Coherence: mean distance of the samples' patches to the nearest training patch (artefacts raise it). Completeness: the
other way round (what is left out raises it). Diversity: per-pixel standard deviation over samples / of the training
image; blank for one sample, and for a training image of one colour. Copied: share of 15 x 15 patches that continue the
training image beside their left neighbour (1 for a copy).
Simakov et al. 2008, "Summarizing visual data using bidirectional similarity"; Shaham et al. 2019, arXiv 1905.01164.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro

from recipes.command import cli
from recipes.command.pasteable import program
from restore.machine.terminal import printable

if TYPE_CHECKING:
    from restore.evaluation.single_image import Report


def table(
    training: Annotated[Path, tyro.conf.Positional],
    samples: Annotated[tuple[Path, ...], tyro.conf.Positional],
    size: int | None = None,
    every: int = 1,
) -> None:
    """Prints a table with a row for each sample, and one for all of them together.

    Args:
        training: The image that was learned from.
        samples: Images to judge.
        size: Reduce the longer side of the training image to this first, pixels (samples are taken as they are).
        every: Look up only every so many-th patch, among all others: as much faster, and nearly the same figures.
    """
    from tqdm import tqdm

    from restore.data.images import load_image
    from restore.evaluation.single_image import LARGEST_PATCH, Report, at_least, coherence, completeness, diversity, judge

    if not 1 <= every <= 1000 or (size is not None and not 1 <= size <= 65_536):
        raise ValueError(f"size is 1 to 65536 pixels and every 1 to 1000, got {size} and {every}.")
    if not samples:
        raise ValueError("no samples to judge: name one image or more after the training image.")
    clean = load_image(training, size)
    images = [load_image(path) for path in samples]
    at_least(LARGEST_PATCH, clean, *images)
    print("| sample | coherence | completeness | diversity | copied |\n| --- | --- | --- | --- | --- |")
    reports = []
    for path, x in zip(samples, tqdm(images, desc="judging", unit="image", leave=False), strict=True):
        reports.append(judge([x], clean, every))
        print(row(path.name, reports[-1]))
    together = Report(
        coherence(images, clean, every=every),
        completeness(images, clean, every=every),
        diversity(images, clean),
        sum(report.copied for report in reports) / len(reports),
    )
    print(row(f"all {len(images)}", together))
    if math.isnan(together.diversity) and len(images) > 1:
        print(f"\nNo diversity: {training} has one colour only, and no spread to compare with.")


def row(name: str, report: Report) -> str:
    """A row of the table, blank where a figure is undefined."""
    figures = (f"{value:.{digits}f}" for value, digits in zip(report, (4, 4, 3, 3), strict=True))
    return f"| {printable(name)} | {' | '.join('' if figure == 'nan' else figure for figure in figures)} |"


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(table, args=args, prog=program(__file__), description=__doc__)


if __name__ == "__main__":
    cli.run(main)
