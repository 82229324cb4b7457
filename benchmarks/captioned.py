"""What pictures of captioned digits show of what is asked for: digits are read by a classifier of single scans, colours and
places are measured. What benchmarks of text share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import machine  # noqa: F401  # first: finds the project's packages
import torch
from torch import Tensor

from restore import Folder
from restore.data import bundled
from restore.data.bundled import scans
from restore.data.captioned import COLOURS, DIGITS, PLACES, SIDE, Scene
from restore.data.instructed import Instructed
from restore.evaluation.features import Features, of_classifier
from restore.evaluation.metrics import psnr

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
    digits = [float(DIGITS[digit_of(part, read)] == digit) for part, (_, digit) in zip(parts, asked, strict=True)]
    colours = [float(colour_of(part) == colour) for part, (colour, _) in zip(parts, asked, strict=True)]
    return Found(fmean(digits), fmean(colours), placed)


def digit_of(light: Tensor, read: Callable[[Tensor], Tensor]) -> int:
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


def colour_of(light: Tensor) -> str:
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


def reader() -> Features:
    """The classifier of digits: trained here in seconds, on single scans (the set `digits`)."""
    return of_classifier(Folder(16, channels=1), bundled.located("digits"), bundled.located("digits", "test"))


def decibels(images: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """Mean over images of the PSNR of the pixels `where` (B, 1, H, W) is 1 (all by default), at most 60 dB for equal ones."""
    if where is None:
        return float(psnr(images, truth).clamp(max=60).mean())
    error = ((images.clamp(-1, 1) - truth).square() * where).sum((1, 2, 3)) / (where.sum((1, 2, 3)) * images.shape[1])
    return float((10 * torch.log10(4 / error)).clamp(max=60).mean())


def right(images: Tensor, pairs: list[Instructed], read: Callable[[Tensor], Tensor]) -> float:
    """Share of images that show of the caption after the edit what was changed: digits or colours, all of them; the place, or
    the size, to a sixth of the picture."""
    found = []
    for image, pair in zip(images, pairs, strict=True):
        shown = judged(image, pair.after.caption, read)
        right = {"digit": shown.digit == 1, "colour": shown.colour == 1, "size": _near(image, pair.after)}
        right["place"] = shown.place == 1 if pair.after.place else _near(image, pair.after)
        found.append(float(right[pair.kind]))
    return fmean(found)


def _near(image: Tensor, scene: Scene) -> bool:
    """Whether the ink begins and ends where that of the scene of one digit does, to a sixth of the picture in all four."""
    boxes = []
    for picture in (image, scene.image(scans()[0])):
        ink = (picture.amax(0) + 1) / 2 > INK
        if not bool(ink.any()):
            return False
        boxes.append(torch.tensor([side for axis in (1, 0) for side in (torch.nonzero(ink.any(axis)).aminmax())]))
    return bool((boxes[0] - boxes[1]).abs().max() <= SIDE // 6)
