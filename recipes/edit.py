"""Edit pictures: extend, repaint, pull strokes or a pasted object into the scene, vary, make panoramas.

SOURCE is the folder of a run, or a photograph, from which the closed-form restorer works without training (recipes/instant.py).

    python recipes/edit.py outpaint photo.jpg --size 256x384                      # more of it around
    python recipes/edit.py inpaint photo.jpg --mask mask.png                      # white in the mask is made anew
    python recipes/edit.py sdedit photo.jpg --image strokes.png --severities .4 .6 .8
    python recipes/edit.py harmonise photo.jpg --image pasted.png --mask mask.png
    python recipes/edit.py variations runs/photo --severities .3 .5 .7
    python recipes/edit.py panorama photo.jpg --size 250x1200                     # any size: tiles, state on disk, resumable
    python recipes/edit.py variations photo.jpg --style painting.jpg --weight .05
    python recipes/edit.py variations runs/photo --text "a stormy sea" --clip clip-vit-base-patch32/

SDEdit: Meng et al. 2021, arXiv 2108.01073. Resampling of what is repainted: Lugmayr et al. 2022, arXiv 2201.09865.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro

from degrade.lazy import torch
from recipes.command import cli
from recipes.command.editing import Edited, Resampled, Soft
from recipes.command.limits import SHARE, WIDTH, check_options
from recipes.command.panorama import Panorama
from recipes.command.pasteable import program
from recipes.command.size import OptionalSize
from restore.pipelines.editing import middle, on_canvas, widened
from restore.pipelines.generation import Edit
from restore.pipelines.native import inpaint, of_pieces
from restore.pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Outpaint(Resampled):
    """More of a picture around it; its own pixels stay."""

    size: OptionalSize = None
    """Height x width of the result (default: half as much again)."""
    crop: float = 1.0
    """Take only the middle of the picture, this share of its sides (to try it where the truth is known)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, crop=SHARE)

    def __call__(self) -> None:
        pipeline, picture = self.opened()
        picture = middle(picture, self.crop)
        if self.image is None:
            pipeline = pipeline.seeing(picture)
        height, width = picture.shape[-2:]
        size = self.size or (round(1.5 * height), round(1.5 * width))
        canvas, mask = on_canvas(picture, size)
        names = [f"{size[0]}x{size[1]}-seed-{self.seed + i}" for i in range(self.count)]
        out = self.outputs(names)
        made = self.made(pipeline, size, Edit(known=self.kept(canvas, mask), resample=self.resample))
        self.finish(out, dict(zip(names, made, strict=True)), [canvas + (1 - mask), *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class Inpaint(Resampled):
    """Part of a picture made anew; the rest stays, and so does the picture's size."""

    _: KW_ONLY
    mask: Path
    """Picture of the same size, white where it is to be made anew."""

    def __call__(self) -> None:
        names = [f"seed-{self.seed + i}" for i in range(self.count)]
        out = self.outputs(names, self.mask)
        pipeline, picture = self.opened_whole()
        hole = self.hole(self.mask, picture)
        own, guides = self.image in (None, self.source), self.guides()
        if not of_pieces(pipeline, own, guides):
            self.say_laid_out(pipeline, picture)
        options = {"soft": self.soft, "resample": self.resample, "own": own, "guides": guides}
        made = [inpaint(pipeline, picture, hole, self.seed + i, **options) for i in range(self.count)]  # type: ignore[arg-type]
        shown = [torch.where(hole > 0, 1.0, picture), *made]
        self.finish(out, dict(zip(names, made, strict=True)), shown, 1 + min(3, len(made)))


@dataclass(frozen=True)
class _FromSeverities(Edited):
    severities: tuple[float, ...] = (0.3, 0.5, 0.7)
    """How far the picture is degraded before it is restored: more changes more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severities=SHARE)

    def made_at(self, pipeline: Pipeline, picture: Tensor) -> None:
        """A row of images for each severity."""
        size = (picture.shape[1], picture.shape[2])
        self.show(picture, lambda severity: list(self.made(pipeline, size, Edit(begin=picture, severity=severity))))

    def show(self, picture: Tensor, make: Callable[[float], list[Tensor]], mask: Path | None = None) -> None:
        """Writes the images that `make` makes at each severity, and a grid with a row for each seed."""
        severities = tuple(dict.fromkeys(self.severities))
        names = [f"severity-{s:g}-seed-{self.seed + i}" for s in severities for i in range(self.count)]
        out = self.outputs(names, mask)
        rows = [make(severity) for severity in severities]
        shown = [x for i in range(self.count) for x in (picture, *(row[i] for row in rows))]
        self.finish(out, dict(zip(names, (x for row in rows for x in row), strict=True)), shown, 1 + len(rows))


@dataclass(frozen=True)
class _ByHand(Soft, _FromSeverities):
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image is None:
            command = type(self).__name__.lower()
            raise ValueError(f"{command} takes a picture that was changed by hand: --image strokes.png, or with a paste.")

    def made_within(self, mask: Path, margin: int = 0, keeps: bool = False) -> None:
        """The same where the mask is bright, and `margin` pixels around it, at the picture's own size."""
        pipeline, picture = self.opened_whole()
        self.say_laid_out(pipeline, picture)
        hole = widened(self.hole(mask, picture), margin)
        options = {"soft": self.soft, "resample": 1, "own": False, "keeps": keeps, "guides": self.guides()}

        def make(severity: float) -> list[Tensor]:
            seeds = range(self.seed, self.seed + self.count)
            return [inpaint(pipeline, picture, hole, seed, severity=severity, **options) for seed in seeds]  # type: ignore[arg-type]

        self.show(picture, make, mask)


@dataclass(frozen=True)
class SDEdit(_ByHand):
    """Strokes, or a paste, made into a picture of the source: --image, and --mask if only part of it may change."""

    mask: Path | None = None
    """Picture of the same size, white where it may change (default: everywhere)."""

    def __call__(self) -> None:
        if self.mask:
            self.made_within(self.mask)
        else:
            self.made_at(*self.opened())


@dataclass(frozen=True)
class Harmonise(_ByHand):
    """A pasted object made to look as if it belonged: --image with the paste, --mask white where it is."""

    _: KW_ONLY
    mask: Path
    """Picture of the same size, white where the paste is."""
    margin: int = 6
    """Pixels around the paste that may change too."""
    severities: tuple[float, ...] = (0.2, 0.35, 0.5)
    """How far the picture is degraded before it is restored: more changes more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, margin=WIDTH)

    def __call__(self) -> None:
        self.made_within(self.mask, self.margin, keeps=True)


@dataclass(frozen=True)
class Variations(_FromSeverities):
    """The picture again, a little or a lot different."""

    def __call__(self) -> None:
        self.made_at(*self.opened())


Command = Union[
    Annotated[Outpaint, tyro.conf.subcommand("outpaint")],
    Annotated[Inpaint, tyro.conf.subcommand("inpaint")],
    Annotated[SDEdit, tyro.conf.subcommand("sdedit")],
    Annotated[Harmonise, tyro.conf.subcommand("harmonise")],
    Annotated[Variations, tyro.conf.subcommand("variations")],
    Annotated[Panorama, tyro.conf.subcommand("panorama")],
]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Command, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
