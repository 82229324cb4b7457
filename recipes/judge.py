"""How good are samples of a single-image model? Figures without a pretrained network, for samples of any method.

    python recipes/judge.py photo.jpg samples/*.png
    python recipes/judge.py photo.jpg others/*.png --size 250

Each sample is judged on its own; the last row is their mean. Coherence: mean distance of the sample's patches to the nearest
training patch (artefacts raise it). Completeness: the other way round (what is left out raises it). SWD: sliced Wasserstein
distance between the patches of both (a wrong mixture raises it). Copied: share of 15 x 15 patches that continue the training
image beside their left neighbour (1 for a copy), exactly and to 1 pixel. NNFDIV: how badly the nearest neighbour field
compresses (near 0 for a copy). Diversity: per-pixel standard deviation over samples / of the training image. Blank where
undefined. docs/evaluation.md says what to read from them. A sample of 188 x 250 pixels takes about 15 s of one core.
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

HEADER = (
    "| sample | coherence | completeness | SWD | copied | copied, 1 pixel | NNFDIV | diversity |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def table(
    training: Annotated[Path, tyro.conf.Positional],
    samples: Annotated[tuple[Path, ...], tyro.conf.Positional],
    size: int | None = None,
) -> None:
    """Prints a table with a row for each sample, and one for the mean over them.

    Args:
        training: The image that was learned from.
        samples: Images to judge.
        size: Reduce the longer side of the training image to this first, pixels (samples are taken as they are).
    """
    from tqdm import tqdm

    from restore.data.images import load_image
    from restore.evaluation.single_image import Judge, check, diversity, mean

    if size is not None and not 1 <= size <= 65_536:
        raise ValueError(f"size is 1 to 65536 pixels, got {size}.")
    if not samples:
        raise ValueError("no samples to judge: name one image or more after the training image.")
    clean = load_image(training, size)
    images = [load_image(path) for path in samples]
    for image in (clean, *images):
        check(image)
    print(HEADER)
    judge, reports = Judge(clean), []
    for path, x in zip(samples, tqdm(images, desc="judging", unit="image", leave=False), strict=True):
        reports.append(judge(x))
        print(row(path.name, reports[-1]))
    spread = diversity(images, clean)
    print(row(f"mean of {len(images)}", mean(reports), spread))
    if math.isnan(spread) and len(images) > 1:
        print(f"\nNo diversity: {training} has one colour only, and no spread to compare with.")


def row(name: str, report: Report, spread: float = math.nan) -> str:
    """A row of the table, blank where a figure is undefined."""
    figures = zip((*report, spread), (4, 4, 4, 3, 3, 3, 3), strict=True)
    return f"| {printable(name)} | {' | '.join('' if math.isnan(x) else f'{x:.{digits}f}' for x, digits in figures)} |"


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(table, args=args, prog=program(__file__), description=__doc__)


if __name__ == "__main__":
    cli.run(main)
