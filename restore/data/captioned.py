"""Captioned digits: real scans, placed, tinted and measured, so that what their captions say is true; for text to image.

32 x 32 RGB on black: one of scikit-learn's handwritten digits, or two side by side or one above the other. "a large thin red
seven on the left", "a green five left of a red two": 31 words. How thick strokes are, and how they lean, is measured.
Compositions are held out: a digit in one of the colours that `held_out` names is never trained on, in any picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.random import Stream, integers, seeded, uniform

if TYPE_CHECKING:
    from torch import Generator, Tensor

SIDE = 32
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLOURS = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 0.9, 0.1),
    "blue": (0.2, 0.3, 1.0),
    "yellow": (1.0, 0.9, 0.1),
    "purple": (0.8, 0.1, 0.9),
    "white": (1.0, 1.0, 1.0),
}
SIZES = {"small": 12, "": 18, "large": 24}
PLACES = {"on the left": (0.5, 0.0), "on the right": (0.5, 1.0), "at the top": (0.0, 0.5), "at the bottom": (1.0, 0.5)}
COUNTS = {"train": 6000, "test/seen": 500, "test/unseen": 500}
PAIRED = 14
"""Pixels of each of two digits."""


class Captioned(NamedTuple):
    image: Tensor
    """(3, SIDE, SIDE) in [-1, 1]."""
    caption: str


class Digit(NamedTuple):
    """A scan in a picture."""

    scan: int
    """Its number."""
    label: int
    """Which digit it is."""
    tint: int
    """The number of its colour."""
    strokes: tuple[str, ...] = ()
    """What is said of its strokes."""

    @property
    def said(self) -> str:
        return " ".join([*self.strokes, list(COLOURS)[self.tint], DIGITS[self.label]])


class Scene(NamedTuple):
    """What a picture is made of: one digit, of a size and at a place, or two of them."""

    digits: tuple[Digit, ...]
    size: str = ""
    """Of one digit, a key of SIZES."""
    place: str = ""
    """Of one digit, a key of PLACES, or "" for the middle."""
    beside: bool = True
    """Whether of two digits the first is left of the second, else above it."""
    corner: tuple[int, int] = (0, 0)
    """Where the first of two begins: pixels along the line from one to the other, and across."""

    @property
    def caption(self) -> str:
        first, *rest = (digit.said for digit in self.digits)
        if rest:
            return f"a {first} {'left of' if self.beside else 'above'} a {rest[0]}"
        return " ".join(["a", *([self.size] if self.size else []), first, *([self.place] if self.place else [])])

    def image(self, scans: Tensor) -> Tensor:
        """(3, SIDE, SIDE) in [-1, 1], of scans (N, 8, 8) in [0, 1]."""
        image = torch.full((3, SIDE, SIDE), -1.0)
        if len(self.digits) == 2:
            along, across = self.corner
            for place, digit in enumerate(self.digits):
                corner = (across, along + place * PAIRED) if self.beside else (along + place * PAIRED, across)
                _put(image, scans[digit.scan], digit.tint, PAIRED, corner)
            return image
        side = SIZES[self.size]
        room = SIDE - side
        near = PLACES.get(self.place)
        corner = (room // 2, room // 2) if near is None else (round(room * near[0]), round(room * near[1]))
        _put(image, scans[self.digits[0].scan], self.digits[0].tint, side, corner)
        return image


def held_out(digit: int, colour: int) -> bool:
    """Whether that digit in that colour is for testing only: 12 of 60, each digit once or twice, each colour twice."""
    return (digit + 2 * colour) % 5 == 0


def captioned_digits(scans: Tensor, labels: Tensor, counts: Mapping[str, int] = COUNTS) -> Iterator[tuple[str, Captioned]]:
    """Names such as "test/unseen/0007", with images and captions. scans: (N, 8, 8) in [0, 1]; every fifth is for testing.

    counts: pictures of each split. Of an image that was held out, one digit at least has a colour that it is never trained in.
    """
    words, test = strokes(scans), tested(scans)
    for place, (split, count) in enumerate(counts.items()):
        own = torch.nonzero(test if split.startswith("test") else ~test)[:, 0]
        for number in range(count):
            generator = seeded(0, Stream.DATA, place, number)
            scene = scene_of(labels, words, own, split == "test/unseen", generator)
            yield f"{split}/{number:04d}", Captioned(scene.image(scans), scene.caption)


def tested(scans: Tensor) -> Tensor:
    """Whether a scan is for testing (N,): every fifth."""
    return torch.arange(len(scans)) % 5 == 0


def strokes(scans: Tensor) -> list[list[str]]:
    """What is said of the strokes of each scan (N, 8, 8): the quarter with the widest is thick, with the narrowest thin, and
    the quarter that leans most is leaning."""
    thick, lean = thickness(scans), slant(scans)
    low, high = torch.quantile(thick, torch.tensor([0.25, 0.75])).tolist()
    steep = float(torch.quantile(lean, 0.75))
    return [
        [*(["thin"] if thick[i] < low else ["thick"] if thick[i] > high else []), *(["leaning"] if lean[i] > steep else [])]
        for i in range(len(scans))
    ]


def thickness(scans: Tensor) -> Tensor:
    """Ink (N, 8, 8) over the square root of the second moment of where it is: of strokes of equal length, their width (N,)."""
    ink, (dy, dx) = scans.sum((1, 2)), _centred(scans)
    return ink / ((scans * (dy**2 + dx**2)).sum((1, 2)) / ink).sqrt()


def slant(scans: Tensor) -> Tensor:
    """Columns that ink moves to the right for each row up, by least squares (N,)."""
    dy, dx = _centred(scans)
    return -(scans * dy * dx).sum((1, 2)) / (scans * dy**2).sum((1, 2))


def _centred(scans: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns (N, 8, 8), from where the ink is in the mean."""
    place, ink = torch.arange(8.0), scans.sum((1, 2), keepdim=True)
    rows, columns = place[:, None].expand(8, 8), place.expand(8, 8)
    return rows - (scans * rows).sum((1, 2), True) / ink, columns - (scans * columns).sum((1, 2), True) / ink


def scene_of(labels: Tensor, words: Sequence[Sequence[str]], own: Tensor, unseen: bool, generator: Generator) -> Scene:
    """A scene of the scans `own` (their numbers), two digits in four of ten; `words`: of each scan, what its strokes are."""
    two = float(uniform((1,), generator)) < 0.4
    while True:
        chosen = own[integers(len(own), (2,), generator)].tolist()[: 1 + two]
        tints = integers(len(COLOURS), (2,), generator).tolist()[: 1 + two]
        if any(held_out(int(labels[i]), tint) for i, tint in zip(chosen, tints, strict=True)) == unseen:
            break
    u = uniform((6,), generator).tolist()
    digits = tuple(
        Digit(i, int(labels[i]), tint, tuple(words[i]) if u[0] < 0.5 else ()) for i, tint in zip(chosen, tints, strict=True)
    )
    if two:
        slack = SIDE - 2 * PAIRED
        return Scene(digits, beside=u[1] < 0.5, corner=(int(u[2] * (slack + 1)), int(u[3] * (SIDE - PAIRED + 1))))
    return Scene(digits, list(SIZES)[int(3 * u[1])], list(PLACES)[int(4 * u[2])] if u[3] < 0.6 else "")


def _put(image: Tensor, scan: Tensor, tint: int, side: int, corner: tuple[int, int]) -> None:
    """A scan (8, 8) of `side` pixels, in a colour, its top left at `corner`."""
    large = torch.nn.functional.interpolate(scan[None, None], (side, side), mode="bicubic", align_corners=False)[0, 0]
    top, left = corner
    colour = torch.tensor(list(COLOURS.values())[tint])[:, None, None]
    image[:, top : top + side, left : left + side] = 2 * (large.clamp(0, 1) * colour) - 1
