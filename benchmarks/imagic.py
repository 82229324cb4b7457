"""Imagic on captioned digits: colour or digit become what words say; do stroke, slant and place stay? Against SDEdit.

    python recipes/text_to_image.py train captioned --out runs/captioned
    python benchmarks/imagic.py runs/captioned
    python benchmarks/imagic.py runs/captioned --kind digit

Pictures of one digit, of the test set; the words are their own captions with another colour, or another digit. Measured of what
is made: whether it has the new one, whether it still has the other of the two, both at once, and of the ink, whatever its
colour, how far it lies from the picture's: cosine of the two maps of ink, pixels between their centres, ratio of their strokes'
widths, difference of their slants. What another picture of that caption has is the last row: nothing kept.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

import torch
import tyro
from captioned import NAMED, colour_of, digit_of, reader
from torch import Tensor

from degrade import seeds
from models import Condition
from restore import Edit, Run, load_image, open_run, save_image
from restore.data import bundled
from restore.data.captioned import COLOURS, DIGITS
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


class Change(NamedTuple):
    """A picture of one digit, and what it is to become."""

    picture: Tensor
    """(3, H, W) in [-1, 1]."""
    caption: str
    """With one word changed."""
    colour: str
    digit: str
    """Those of the caption."""


def row(name: str, made: Sequence[Tensor], changes: Sequence[Change], kind: str, read: Callable[[Tensor], Tensor]) -> str:
    """made: for each change the images (count, C, H, W) that came of it; kind: what is changed, colour or digit."""
    changed, kept, alike, apart, width, slant = [], [], [], [], [], []
    for images, change in zip(made, changes, strict=True):
        a, b = pose(images), pose(change.picture[None])
        for image in images:
            light = (image + 1) / 2
            right = colour_of(light) == change.colour, DIGITS[digit_of(light, read)] == change.digit
            changed.append(float(right[kind == "digit"]))
            kept.append(float(right[kind == "colour"]))
        alike += torch.nn.functional.cosine_similarity(a.ink.flatten(1), b.ink.flatten(1)).tolist()
        apart += (a.centre - b.centre).norm(dim=1).tolist()
        width += (a.width / b.width).log().abs().exp().tolist()
        slant += (a.slant - b.slant).abs().tolist()
    both = fmean(x * y for x, y in zip(changed, kept, strict=True))
    pose_kept = f"{fmean(alike):.3f} | {fmean(apart):.2f} px | {fmean(width):.2f} | {fmean(slant):.3f}"
    return f"| {name} | {fmean(changed):.0%} | {fmean(kept):.0%} | {both:.0%} | {pose_kept} |"


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
    kind: Literal["colour", "digit"] = "colour"
    """What is changed."""
    pictures: int = 6
    """How many."""
    skipped: int = 0
    """Pictures of the test set that come before them."""
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
        features, changes = reader(), self.chosen()
        assert features.classify is not None
        made, losses, since = [], [], time.process_time()
        for number, change in enumerate(changes):
            folder = self.out / self.kind / f"{number}"
            shutil.rmtree(folder, ignore_errors=True)
            made.append(imagic(run, change.picture, change.caption, folder, settings))
            losses.append(self.losses(run, change.picture, made[-1]))
        print(f"{(time.process_time() - since) / len(made):.0f} CPU seconds a picture\n")
        print("| loss of the picture | words | their embedding moved | the network too | words, with that network |")
        print("| --- | --- | --- | --- | --- |")
        print(f"| mean of {len(made)} | {' | '.join(f'{fmean(column):.4f}' for column in zip(*losses, strict=True))} |\n")
        other = "digit" if self.kind == "colour" else "colour"
        print(f"| | new {self.kind} | {other} kept | both | cosine of ink | centre | width | slant |\n|{' --- |' * 8}")
        columns = {f"eta {eta:g}": [one.edited(eta, self.count, progress=False) for one in made] for eta in self.etas}
        for severity in self.severities:
            columns[f"SDEdit {severity:g}"] = [
                run.generate(count=self.count, condition=one.caption, edit=Edit(one.picture, severity), progress=False)
                for one in changes
            ]
        columns["from the words alone"] = [
            run.generate(count=self.count, condition=one.caption, progress=False) for one in changes
        ]
        for name, images in columns.items():
            print(row(name, images, changes, self.kind, features.classify), flush=True)
        shown = [
            image for i, one in enumerate(changes) for image in (one.picture, *(images[i][0] for images in columns.values()))
        ]
        save_image(grid(shown, 1 + len(columns), at_least=64), self.out / self.kind / "grid.png")
        captions = "\n".join(one.caption for one in changes)
        (self.out / self.kind / "captions.txt").write_text(captions + "\n", encoding="utf-8")
        print(f"\n{self.out / self.kind}/grid.png: a picture, then what the rows of the table are")

    def chosen(self) -> list[Change]:
        """Pictures of one digit, in turn with each of the other colours, or digits, in their captions."""
        changes: list[Change] = []
        known = {"colour": tuple(COLOURS), "digit": DIGITS}[self.kind]
        for file in image_files(bundled.written("captioned") / "test" / "seen")[self.skipped :]:
            caption = file.with_suffix(".txt").read_text(encoding="utf-8").strip()
            found = NAMED.findall(caption)
            if len(found) == 1:
                now = dict(zip(("colour", "digit"), found[0], strict=True))
                old, names = now[self.kind], [name for name in known if name != now[self.kind]]
                now[self.kind] = names[len(changes) % len(names)]
                changes.append(Change(load_image(file), caption.replace(old, now[self.kind]), **now))
            if len(changes) == self.pictures:
                break
        return changes

    @staticmethod
    def losses(run: Run, picture: Tensor, made: Imagic) -> list[float]:
        tuned = made.pipeline
        assert isinstance(tuned, Run)
        pairs = ((run, made.target), (run, made.optimised), (tuned, made.optimised), (tuned, made.target))
        return [loss(pipeline, picture, condition) for pipeline, condition in pairs]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
