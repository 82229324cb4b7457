"""DiffEdit on captioned digits, where it is known what changes: masks, edits and what stays, against SDEdit.

    python recipes/text_to_image.py train captioned --out runs/captioned --minutes 15
    python benchmarks/diffedit.py runs/captioned

Test scenes in pairs (restore/data/instructed.py), the caption of each the words before and after: only a digit's colour is
another. IoU: of the mask with the pixels that differ. Edit: share of the results that show what is asked for, as
benchmarks/text_to_image.py reads it; of two digits, both. Background: PSNR of what should stay, the pixels that do not differ;
truth: of the whole with the other picture. SDEdit knows no mask, nor the words before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from captioned import decibels, reader, right
from machine import describe  # first: finds the project's packages
from torch import Tensor

from restore import Edit, open_run, save_image
from restore.data.bundled import scans
from restore.data.images import grid
from restore.data.instructed import Instructed, instructed_pairs
from restore.pipelines.diffedit import above, diffedit, disagreement
from restore.pipelines.network import NetworkPipeline


def overlap(mask: Tensor, region: Tensor) -> float:
    """Mean over images of the intersection over the union of masks (B, 1, H, W)."""
    both, either = (mask * region).sum((1, 2, 3)), torch.maximum(mask, region).sum((1, 2, 3))
    return float((both / either).mean())


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    count: int = 48
    """Pictures."""
    skipped: int = 0
    """Pictures that come before them: settings are chosen on some, and checked on others."""
    kind: Literal["colour", "digit"] = "colour"
    """What is changed."""
    guidance: float = 3.0
    """Weight of the words."""
    steps: int = 25
    """Of the walks."""
    severity: float = 0.8
    """Of the inversion."""
    thresholds: tuple[float, ...] = (1.0, 1.5, 2.0)
    """Of the masks; 1.5 is published."""
    severities: tuple[float, ...] = (0.4, 0.6, 0.8)
    """Of SDEdit."""
    out: Path = Path("runs/diffedit")
    """Folder for the pictures."""

    def __call__(self) -> None:
        digits, labels = scans()
        pairs = [pair for _, pair in instructed_pairs(digits, labels, {"test": self.skipped + self.count}, (self.kind,))]
        pairs = pairs[self.skipped :]
        before, after = (torch.stack([scene.image(digits) for scene in scenes]) for scenes in _scenes(pairs))
        region = torch.stack([pair.changed(digits) for pair in pairs])
        source, target = ([scene.caption for scene in scenes] for scenes in _scenes(pairs))
        run = open_run(self.run, "cpu").using(steps=self.steps, guidance=self.guidance)
        features = reader()
        assert features.classify is not None
        read, shown = features.classify, dict[str, Tensor]()
        print(f"{describe()}\n{run.identity}\n{self.count} pairs, {self.kind}; guidance {self.guidance:g}")
        print("\n| | IoU | edit | background | truth |\n| --- | --- | --- | --- | --- |")

        def row(name: str, images: Tensor, mask: Tensor | None = None) -> None:
            shown[name] = images
            iou = "" if mask is None else f"{overlap(mask, region):.3f}"
            sides = f"{decibels(images, before, 1 - region):.1f} dB | {decibels(images, after):.1f} dB"
            print(f"| {name} | {iou} | {right(images, pairs, read):.1%} | {sides} |", flush=True)

        row("the picture itself", before)
        row("the other picture", after)
        apart = disagreement(run, before, target, source)
        for threshold in self.thresholds:
            mask = above(apart, threshold)
            row(f"DiffEdit, threshold {threshold:g}", self._edited(run, before, target, mask), mask)
        row("with the true mask", self._edited(run, before, target, region), region)
        for severity in self.severities:
            made = [
                run.generate(seed=i, condition=words, edit=Edit(begin=image, severity=severity), progress=False)[0]
                for i, (image, words) in enumerate(zip(before, target, strict=True))
            ]
            row(f"SDEdit from {severity:g}", torch.stack(made))
        few = min(8, self.count)
        save_image(
            grid([x for images in shown.values() for x in images[:few]], few, at_least=64), self.out / f"{self.kind}.png"
        )
        said = "\n".join(f"{a} -> {b}" for a, b in zip(source[:few], target[:few], strict=True))
        (self.out / f"{self.kind}.txt").write_text(f"rows: {', '.join(shown)}\n{said}\n", encoding="utf-8")

    def _edited(self, run: NetworkPipeline, before: Tensor, target: list[str], mask: Tensor) -> Tensor:
        return diffedit(run, before, target, mask=mask, severity=self.severity, progress=False).images


def _scenes(pairs: list[Instructed]) -> tuple[list, list]:
    return [pair.before for pair in pairs], [pair.after for pair in pairs]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
