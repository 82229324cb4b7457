"""Instructions with what they change: captioned digits in pairs, the same scene but for one attribute, true by construction.

"make it blue", "move it to the left", "make it large", "turn the seven into a two": InstructPix2Pix's data without a model that
makes it (Brooks et al. 2022, arXiv 2211.09800, section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.random import Stream, integers, seeded
from restore.data.captioned import COLOURS, DIGITS, PLACES, SIZES, Digit, Scene, held_out, scene_of, strokes, tested

if TYPE_CHECKING:
    from torch import Generator, Tensor

COUNTS = {"train": 2500, "test/seen": 200, "test/unseen": 200}
KINDS = ("colour", "digit", "place", "size")
"""What is changed: of one of two digits the first two only."""


class Instructed(NamedTuple):
    before: Scene
    after: Scene
    instruction: str
    kind: str
    """One of KINDS."""

    def changed(self, scans: Tensor) -> Tensor:
        """Where the two pictures differ by a tenth of their range (1, SIDE, SIDE): 0 or 1."""
        before, after = (scene.image(scans) for scene in (self.before, self.after))
        return ((after - before).abs().amax(0, keepdim=True) > 0.2).float()


def instructed_pairs(
    scans: Tensor,
    labels: Tensor,
    counts: Mapping[str, int] = COUNTS,
    kinds: Sequence[str] = KINDS,
) -> Iterator[tuple[str, Instructed]]:
    """Names such as "test/unseen/0007", with pairs of scenes. scans: (N, 8, 8) in [0, 1]; every fifth is for testing.

    What comes out of an unseen one is a composition that no picture was trained on (`held_out`): a colour, or a digit.
    """
    words, test = strokes(scans), tested(scans)
    for place, (split, count) in enumerate(counts.items()):
        own = torch.nonzero(test if split.startswith("test") else ~test)[:, 0]
        unseen = split == "test/unseen"
        allowed = [kind for kind in kinds if kind in ("colour", "digit") or not unseen]
        for number in range(count):
            generator = seeded(0, Stream.PARTNER, place, number)
            while True:
                before = scene_of(labels, words, own, False, generator)
                kind = allowed[int(integers(len(allowed), (1,), generator))]
                changed = _changed(before, kind, labels, words, own, generator)
                if changed is not None and unseen == any(held_out(digit.label, digit.tint) for digit in changed[0].digits):
                    yield f"{split}/{number:04d}", Instructed(before, *changed, kind)
                    break


def _changed(
    scene: Scene, kind: str, labels: Tensor, words: Sequence[Sequence[str]], own: Tensor, generator: Generator
) -> tuple[Scene, str] | None:
    """The scene with one attribute of that kind changed, and the instruction; None where it has none, or words do not tell
    which of two digits is meant."""
    which, choice = integers(len(scene.digits), (1,), generator).item(), int(integers(2**31, (1,), generator))
    old = scene.digits[int(which)]
    if kind in ("colour", "digit"):
        if len(scene.digits) == 2 and len({digit.label for digit in scene.digits}) == 1:
            return None
        name = "it" if len(scene.digits) == 1 else f"the {DIGITS[old.label]}"
        if kind == "colour":
            tint = (old.tint + 1 + choice % (len(COLOURS) - 1)) % len(COLOURS)
            new, said = old._replace(tint=tint), f"make {name} {list(COLOURS)[tint]}"
        else:
            scan = int(own[choice % len(own)])
            label = int(labels[scan])
            if label in {digit.label for digit in scene.digits}:
                return None
            new = Digit(scan, label, old.tint, tuple(words[scan]) if old.strokes else ())
            said = f"turn {name} into {'an' if DIGITS[label] == 'eight' else 'a'} {DIGITS[label]}"
        return scene._replace(digits=tuple(new if digit is old else digit for digit in scene.digits)), said
    if len(scene.digits) == 2:
        return None
    if kind == "size":
        size = [size for size in SIZES if size not in ("", scene.size)][choice % (2 if scene.size == "" else 1)]
        return scene._replace(size=size), f"make it {size}"
    place = [place for place in ("", *PLACES) if place != scene.place][choice % len(PLACES)]
    return scene._replace(place=place), f"move it to the {place.split()[-1] if place else 'middle'}"
