"""Text to image on captioned digits: are digits, colours and places those of the caption, also of compositions held out?

    python recipes/text_to_image.py train captioned --out runs/captioned --minutes 15
    python benchmarks/text_to_image.py runs/captioned

Captions of the test set, seen compositions and held-out ones; an image is made of each. Digits are read by a classifier that
was trained on single scans (the set `digits`), colours and places are measured; the test images themselves are the first row.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import re  # isort: skip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
import tyro
from torch import Tensor

from restore import Folder, load_image, open_run, save_image
from restore.data import bundled
from restore.data.captioned import COLOURS, DIGITS, PLACES, SIDE
from restore.data.images import grid, image_files
from restore.evaluation.features import of_classifier

INK = 0.25
"""Of [0, 1], above which a pixel is ink."""
NAMED = re.compile(rf"({'|'.join(COLOURS)}) ({'|'.join(DIGITS)})")


class Found(NamedTuple):
    """Shares in [0, 1] of the digits that are right, of their colours, and whether they are where the caption says."""

    digit: float
    colour: float
    place: float | None


def judged(image: Tensor, caption: str, read: Callable[[Tensor], Tensor]) -> Found:
    """What an image (3, SIDE, SIDE) in [-1, 1] shows of its caption."""
    light = (image + 1) / 2
    ink = light.amax(0)
    asked = NAMED.findall(caption)
    where = torch.nonzero(ink > INK).float()
    if len(where) < 4:
        return Found(0, 0, 0)
    if len(asked) == 1:
        y, x = ((place - where[:, axis].mean()) for axis, place in enumerate((SIDE / 2, SIDE / 2)))
        towards = {"left": x, "right": -x, "top": y, "bottom": -y}
        named = next((name for place in PLACES if (name := place.split()[-1]) in caption and place in caption), None)
        across = x if named in ("top", "bottom") else y
        placed = None if named is None else float(towards[named] > 2 and abs(across) < 4)
        parts = [light]
    else:
        beside = "left of" in caption
        parts = list(light.split(SIDE // 2, dim=2 if beside else 1))
        spread = where.std(0)
        placed = float((spread[1] > spread[0]) == beside and all(bool((part.amax(0) > INK).sum() > 3) for part in parts))
    digits = [float(DIGITS[_digit(part, read)] == digit) for part, (_, digit) in zip(parts, asked, strict=True)]
    colours = [float(_colour(part) == colour) for part, (colour, _) in zip(parts, asked, strict=True)]
    return Found(fmean(digits), fmean(colours), placed)


def _digit(light: Tensor, read: Callable[[Tensor], Tensor]) -> int:
    """Of a picture (3, h, w) in [0, 1] with one digit: what is read of its ink, brought to the frame of a scan."""
    ink = light.amax(0)
    rows, columns = (torch.nonzero((ink > INK).any(axis))[:, 0] for axis in (1, 0))
    if not len(rows):
        return -1
    cut = ink[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    side = max(cut.shape)
    frame = torch.zeros(side, side)
    top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
    frame[top : top + cut.shape[0], left : left + cut.shape[1]] = cut / cut.max()
    scan = torch.nn.functional.interpolate(frame[None, None], (16, 16), mode="bicubic", antialias=True, align_corners=False)
    return int(read(2 * scan - 1)[0])


def _colour(light: Tensor) -> str:
    """The name of the colour that is nearest to the ink's."""
    ink = light.amax(0)
    mean = (light * ink).sum((1, 2)) / ink.sum().clamp(min=1e-6)
    known = torch.tensor(list(COLOURS.values()))
    alike = torch.nn.functional.cosine_similarity(mean[None], known)
    return list(COLOURS)[int(alike.argmax())]


def row(name: str, images: Sequence[Tensor], captions: Sequence[str], read: Callable[[Tensor], Tensor]) -> str:
    found = [judged(image, caption, read) for image, caption in zip(images, captions, strict=True)]
    places = [one.place for one in found if one.place is not None]
    return f"| {name} | {fmean(f.digit for f in found):.1%} | {fmean(f.colour for f in found):.1%} | {fmean(places):.1%} |"


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    count: int = 200
    """Captions of each kind."""
    guidance: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0, 8.0)
    """Weights of the caption."""
    steps: int = 25
    """Of the walk."""
    out: Path = Path("runs/text-to-image")
    """Folder for the pictures."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu").using(steps=self.steps)
        features = of_classifier(Folder(16, channels=1), bundled.located("digits"), bundled.located("digits", "test"))
        assert features.classify is not None
        print(f"{describe()}\ndigits are read by {features.name}\n\n| | digit | colour | place |\n| --- | --- | --- | --- |")
        for kind in ("seen", "unseen"):
            files = image_files(bundled.written("captioned") / "test" / kind)[: self.count]
            captions = [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]
            print(row(f"{kind}: the test images", [load_image(file) for file in files], captions, features.classify))
            for weight in self.guidance:
                made = run.using(guidance=weight).generate(count=len(files), condition=captions, batch=50, progress=False)
                print(row(f"{kind}: guidance {weight:g}", list(made), captions, features.classify), flush=True)
                save_image(grid(list(made[:64]), 8, at_least=64), self.out / f"{kind}-{weight:g}.png")
            (self.out / f"{kind}.txt").write_text("\n".join(captions[:64]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
