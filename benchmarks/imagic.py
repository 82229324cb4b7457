"""Imagic on captioned digits: the colour becomes what words say; do stroke, slant and place stay? Against SDEdit.

    python recipes/text_to_image.py train captioned --out runs/captioned
    python benchmarks/imagic.py runs/captioned

Pictures of one digit, of the test set; the words are their own captions with another colour. Measured of what is made: whether
the ink has the new colour, and of the ink, whatever its colour, how far it lies from the picture's: cosine of the two maps of
ink, pixels between their centres, ratio of their strokes' widths, difference of their slants. What another picture of that
caption has is the last row: nothing kept.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
import tyro
from captioned import NAMED, colour_of
from torch import Tensor

from degrade import seeds
from models import Condition
from restore import Edit, Run, load_image, open_run, save_image
from restore.data import bundled
from restore.data.captioned import COLOURS
from restore.data.images import grid, image_files
from restore.tuning.imagic import Imagic, ImagicSettings, imagic, suited

NOISES = 64
"""Of a picture, at evenly spread severities, for the losses."""


class Pose(NamedTuple):
    """Of the ink of pictures (B, 3, H, W) in [-1, 1], whatever its colour."""

    ink: Tensor
    """(B, H, W), its maximum 1."""
    centre: Tensor
    """Row and column of its mean (B, 2)."""
    width: Tensor
    """Ink over the square root of its second moment: of strokes of equal length, their width (B,)."""
    slant: Tensor
    """Columns to the right for each row up (B,)."""


def pose(images: Tensor) -> Pose:
    ink = ((images + 1) / 2).amax(1).clamp(min=0)
    ink = torch.where(ink > 0.15, ink, 0)
    ink = ink / ink.amax((1, 2), keepdim=True).clamp(min=1e-6)
    rows, columns = (torch.arange(float(side)) for side in ink.shape[1:])
    total = ink.sum((1, 2)).clamp(min=1e-6)
    y, x = (ink.sum(2) * rows).sum(1) / total, (ink.sum(1) * columns).sum(1) / total
    dy, dx = rows[None, :, None] - y[:, None, None], columns[None, None] - x[:, None, None]
    spread = ((ink * (dy**2 + dx**2)).sum((1, 2)) / total).sqrt().clamp(min=1e-6)
    slant = -(ink * dy * dx).sum((1, 2)) / (ink * dy**2).sum((1, 2)).clamp(min=1e-6)
    return Pose(ink, torch.stack([y, x], 1), total / spread, slant)


def row(name: str, made: Sequence[Tensor], pictures: Sequence[Tensor], colours: Sequence[str]) -> str:
    """made: for each picture the images (count, C, H, W) that were made of it; colours: that they were to become."""
    changed, alike, apart, width, slant = [], [], [], [], []
    for images, picture, colour in zip(made, pictures, colours, strict=True):
        a, b = pose(images), pose(picture[None])
        changed += [float(colour_of((image + 1) / 2) == colour) for image in images]
        alike += torch.nn.functional.cosine_similarity(a.ink.flatten(1), b.ink.flatten(1)).tolist()
        apart += (a.centre - b.centre).norm(dim=1).tolist()
        width += (a.width / b.width).log().abs().exp().tolist()
        slant += (a.slant - b.slant).abs().tolist()
    kept = f"{fmean(alike):.3f} | {fmean(apart):.2f} px | {fmean(width):.2f} | {fmean(slant):.3f}"
    return f"| {name} | {fmean(changed):.0%} | {kept} |"


def loss(run: Run, picture: Tensor, condition: Condition) -> float:
    """The run's own objective for the picture, over NOISES draws that nothing was trained with."""
    x0, t = picture.expand(NOISES, *picture.shape), (torch.arange(NOISES) + 0.5) / NOISES
    restorer = run.restorer.given(condition.map(lambda z: z.expand(NOISES, *z.shape[1:])))
    with torch.no_grad():
        return float(run.objective(restorer, x0, t, run.degradation.draw(x0, seeds(10_000, NOISES))).mean())


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    pictures: int = 6
    """How many."""
    count: int = 4
    """Images of each, for each eta."""
    etas: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)
    """Shares of the words."""
    severities: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)
    """Of SDEdit."""
    embedding_steps: int | None = None
    """Of the first stage (default: what suits the run)."""
    tuning_steps: int | None = None
    """Of the second."""
    steps: int = 20
    """Of the walk."""
    out: Path = Path("runs/imagic-benchmark")
    """Folder for the pictures."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu").using(steps=self.steps)
        assert isinstance(run, Run)
        usual = suited(run)
        settings = ImagicSettings(
            self.embedding_steps or usual.embedding_steps,
            usual.embedding_rate,
            self.tuning_steps or usual.tuning_steps,
            usual.tuning_rate,
            usual.batch,
        )
        print(f"{describe()}\n{settings}\n")
        pictures, captions, colours = self.chosen()
        made, losses, since = [], [], time.process_time()
        for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
            shutil.rmtree(self.out / f"{number}", ignore_errors=True)
            made.append(imagic(run, picture, caption, self.out / f"{number}", settings))
            losses.append(self.losses(run, picture, made[-1]))
        print(f"{(time.process_time() - since) / len(made):.0f} CPU seconds a picture\n")
        print("| loss of the picture | words | their embedding moved | the network too | words, with that network |")
        print("| --- | --- | --- | --- | --- |")
        print(f"| mean of {len(made)} | {' | '.join(f'{fmean(column):.4f}' for column in zip(*losses, strict=True))} |\n")
        print("| | new colour | cosine of ink | centre | width | slant |\n| --- | --- | --- | --- | --- | --- |")
        columns = {f"eta {eta:g}": [one.edited(eta, self.count, progress=False) for one in made] for eta in self.etas}
        for severity in self.severities:
            columns[f"SDEdit {severity:g}"] = [
                run.generate(count=self.count, condition=caption, edit=Edit(picture, severity), progress=False)
                for picture, caption in zip(pictures, captions, strict=True)
            ]
        columns["from the words alone"] = [
            run.generate(count=self.count, condition=caption, progress=False) for caption in captions
        ]
        for name, images in columns.items():
            print(row(name, images, pictures, colours), flush=True)
        shown = [
            image for i, picture in enumerate(pictures) for image in (picture, *(images[i][0] for images in columns.values()))
        ]
        save_image(grid(shown, 1 + len(columns), at_least=64), self.out / "grid.png")
        (self.out / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
        print(f"\n{self.out}/grid.png: a picture, then what the rows of the table are")

    def chosen(self) -> tuple[list[Tensor], list[str], list[str]]:
        """Pictures of one digit, the captions that they are to become, and the colours in them."""
        pictures: list[Tensor] = []
        captions: list[str] = []
        colours: list[str] = []
        for file in image_files(bundled.written("captioned") / "test" / "seen"):
            caption = file.with_suffix(".txt").read_text(encoding="utf-8").strip()
            found = NAMED.findall(caption)
            if len(found) == 1:
                old = found[0][0]
                names = [name for name in COLOURS if name != old]
                colours.append(names[len(pictures) % len(names)])
                captions.append(caption.replace(old, colours[-1]))
                pictures.append(load_image(file))
            if len(pictures) == self.pictures:
                break
        return pictures, captions, colours

    @staticmethod
    def losses(run: Run, picture: Tensor, made: Imagic) -> list[float]:
        tuned = made.pipeline
        assert isinstance(tuned, Run)
        pairs = ((run, made.target), (run, made.optimised), (tuned, made.optimised), (tuned, made.target))
        return [loss(pipeline, picture, condition) for pipeline, condition in pairs]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
