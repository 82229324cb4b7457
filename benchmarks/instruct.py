"""InstructPix2Pix on captioned digits: are instructions followed, and does the rest stay, over both scales of guidance?

    python recipes/instruct.py train instructed --out runs/instructed --minutes 15
    python benchmarks/instruct.py runs/instructed
    python benchmarks/instruct.py runs/instructed --captions runs/captioned    # and pairs made by Prompt-to-Prompt
    python benchmarks/instruct.py runs/instructed --edits 300    # writes edits.csv, and the same edits as constructed pairs:
    python recipes/instruct.py pairs runs/captioned runs/instruct/edits.csv --out runs/pairs
    python recipes/instruct.py train runs/pairs --recipe runs/instructed --start runs/captioned    # and instruct/constructed

Test pairs (restore/data/instructed.py), none of whose scans was trained on; of the unseen ones, what comes out is a digit in a
colour that no picture was trained on. Followed: share of the results that show what was asked for. Stays: PSNR of the pixels in
which before and after do not differ; truth: of the whole with the picture after. Prompt-to-Prompt: pairs of the same captions
by a run of text_to_image.py, over the share of the walk in which self-attention is shared. Both: pairs of which both pictures
show the digits and colours of their captions; ink: intersection over union of what is brighter than a quarter; between: PSNR of
the two.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

import torch
import tyro
from captioned import INK, decibels, judged, reader, right
from machine import describe  # first: finds the project's packages
from torch import Tensor

from restore import open_run, save_image
from restore.data.bundled import scans
from restore.data.images import grid
from restore.data.instructed import Instructed, instructed_pairs
from restore.data.instructions import AFTER, BEFORE
from restore.pipelines.instruct import instruct
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.prompt_to_prompt import paired

Read = Callable[[Tensor], Tensor]
"""Which digits scans show."""


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/instruct.py on the set `instructed`."""
    captions: Path | None = None
    """A run of recipes/text_to_image.py on the set `captioned`, for pairs by Prompt-to-Prompt."""
    count: int = 64
    """Pairs of each split."""
    splits: tuple[Literal["seen", "unseen"], ...] = ("seen", "unseen")
    """Of the test pairs."""
    guidance: tuple[float, ...] = (1.0, 3.0, 5.0)
    """Weights of the instruction."""
    picture_guidance: tuple[float, ...] = (1.0, 1.5, 2.5)
    """Weights of the picture."""
    shares: tuple[float, ...] = (0.0, 0.5, 0.9)
    """Of the walk, in which self-attention is shared."""
    steps: int = 15
    """Of the walk."""
    edits: int = 0
    """Of training scenes, colours and digits: written as a table for instruct.py pairs, and as constructed pairs beside it;
    nothing else is done."""
    out: Path = Path("runs/instruct")
    """Folder for the pictures."""

    def __call__(self) -> None:
        digits, labels = scans()
        if self.edits:
            train = instructed_pairs(digits, labels, {"train": self.edits}, ("colour", "digit"))
            self._write_edits(digits, [pair for _, pair in train])
            return
        features = reader()
        assert features.classify is not None
        run = open_run(self.run, "cpu").using(steps=self.steps)
        print(f"{describe()}\n{run.identity}")
        for split in self.splits:
            pairs = [pair for _, pair in instructed_pairs(digits, labels, {f"test/{split}": self.count})]
            self._followed(split, pairs, run, features.classify)
            if self.captions is not None and split == "seen":
                for kind in ("colour", "digit"):
                    self._pairs(kind, [pair for pair in pairs if pair.kind == kind], features.classify)

    def _write_edits(self, digits: Tensor, pairs: list[Instructed]) -> None:
        folder = self.out / "constructed"
        for number, pair in enumerate(pairs):
            for where, scene in ((BEFORE, pair.before), (AFTER, pair.after)):
                save_image(scene.image(digits), folder / where / f"{number:05d}.png")
            (folder / AFTER / f"{number:05d}.txt").write_text(pair.instruction + "\n", encoding="utf-8")
        with (self.out / "edits.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows((pair.before.caption, pair.after.caption, pair.instruction) for pair in pairs)
        print(f"{len(pairs)} edits in {self.out / 'edits.csv'}, and what they do in {folder}")

    def _followed(self, split: str, pairs: list[Instructed], run: NetworkPipeline, read: Read) -> None:
        digits, _ = scans()
        before, after = (torch.stack([scene.image(digits) for scene in zipped]) for zipped in _scenes(pairs))
        rest = 1 - torch.stack([pair.changed(digits) for pair in pairs])
        kinds = sorted({pair.kind for pair in pairs})
        counts = ", ".join(f"{sum(pair.kind == kind for pair in pairs)} {kind}" for kind in kinds)
        print(f"\n{split}: {len(pairs)} pairs, {counts}\n")
        print(
            f"| instruction, picture | followed | {' | '.join(kinds)} | stays | truth |\n| --- |{' --- |' * (3 + len(kinds))}"
        )

        def row(name: str, images: Tensor) -> None:
            each = []
            for kind in kinds:
                of_kind = [i for i, pair in enumerate(pairs) if pair.kind == kind]
                each.append(f"{right(images[of_kind], [pairs[i] for i in of_kind], read):.1%}")
            sides = f"{decibels(images, before, rest):.1f} dB | {decibels(images, after):.1f} dB"
            print(f"| {name} | {right(images, pairs, read):.1%} | {' | '.join(each)} | {sides} |", flush=True)

        row("the picture itself", before)
        row("the other picture", after)
        said, few = [pair.instruction for pair in pairs], min(8, len(pairs))
        for scale in self.guidance:
            for picture in self.picture_guidance:
                guided = run.using(guidance=scale, picture_guidance=picture)
                made = instruct(guided, before, said, batch=32, progress=False)
                row(f"{scale:g}, {picture:g}", made)
                shown = [*before[:few], *made[:few], *after[:few]]
                save_image(grid(shown, few, at_least=64), self.out / f"{split}-{scale:g}-{picture:g}.png")
        (self.out / f"{split}.txt").write_text("\n".join(said[:few]) + "\n", encoding="utf-8")

    def _pairs(self, kind: str, pairs: list[Instructed], read: Read) -> None:
        assert self.captions is not None
        run = open_run(self.captions, "cpu").using(steps=self.steps)
        print(f"\n{run.identity}\n{len(pairs)} pairs of captions, another {kind} in each\n")
        print("| share | both | before | after | ink | between |\n| --- | --- | --- | --- | --- | --- |")
        for share in self.shares:
            made = [
                paired(run, pair.before.caption, pair.after.caption, share, seed=i, progress=False)
                for i, pair in enumerate(pairs)
            ]
            a, b = (torch.stack(images) for images in zip(*made, strict=True))
            true = [
                [_true(image, scene.caption, read) for image, scene in zip(images, scenes, strict=True)]
                for images, scenes in zip((a, b), _scenes(pairs), strict=True)
            ]
            both = fmean(float(x and y) for x, y in zip(*true, strict=True))
            ink = [(images.amax(1) + 1) / 2 > INK for images in (a, b)]
            union = (ink[0] | ink[1]).sum((1, 2)).clamp(min=1)
            alike = float(((ink[0] & ink[1]).sum((1, 2)) / union).mean())
            each = " | ".join(f"{fmean(map(float, one)):.1%}" for one in true)
            print(f"| {share:g} | {both:.1%} | {each} | {alike:.3f} | {decibels(b, a):.1f} dB |", flush=True)
            few = min(8, len(pairs))
            save_image(grid([*a[:few], *b[:few]], few, at_least=64), self.out / f"pairs-{kind}-{share:g}.png")


def _true(image: Tensor, caption: str, read: Read) -> bool:
    shown = judged(image, caption, read)
    return shown.digit == shown.colour == 1


def _scenes(pairs: list[Instructed]) -> tuple[list, list]:
    return [pair.before for pair in pairs], [pair.after for pair in pairs]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
