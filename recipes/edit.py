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
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.limits import COUNT, SEED, SHARE, SIDE, STEPS, WIDTH, check_options
from recipes.command.masks import read_mask
from recipes.command.outputs import check_folder
from recipes.command.panorama import Panorama
from recipes.command.pasteable import program
from recipes.command.reduced import say_reduced
from recipes.command.size import OptionalSize
from recipes.command.source import opened
from restore.pipelines.editing import Guide, layout_guide, middle, on_canvas, softened, widened
from restore.pipelines.generation import UNEDITED, Edit
from restore.pipelines.native import inpaint
from restore.pipelines.pipeline import Pipeline
from samplers import enlarge, loss_guidance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Edit:
    source: Positional[Path]
    """Folder of a run, or a photograph to work from without training."""
    image: Path | None = None
    """The picture to edit (default: the photograph of the source)."""
    count: int = 1
    """Images of each kind; image i has the seed `seed + i`."""
    seed: int = 0
    """Everything random derives from it."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 6 a scale)."""
    detail: int = 250
    """Without training, the longer side of the pictures is reduced to this, pixels; inpaint lays out the hole at it, and keeps
    the picture's size."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-<command>)."""
    text: str | None = None
    """Words that the result is pulled towards, with --clip."""
    clip: str | None = None
    """Folder, or name on the hub, of a CLIP for --text (extra `text`)."""
    style: Path | None = None
    """Picture whose colours and textures the result is pulled towards."""
    layout: Path | None = None
    """Picture, such as a sketch, whose coarse shapes and colours the result takes."""
    weight: float = 0.05
    """How far --text and --style may move a value in a step, of the range [-1, 1]."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""
    device: str | None = None
    """Where a run is used, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_options(self, count=COUNT, steps=STEPS, detail=SIDE, seed=SEED, weight=(0, 2))
        if bool(self.text) != bool(self.clip):
            raise ValueError("--text and --clip belong together: words, and the CLIP that understands them.")

    @property
    def folder(self) -> Path:
        """Where the images go."""
        return self.out or Path("runs") / f"{self.source.stem}-{type(self).__name__.lower()}"

    def opened(self) -> tuple[Pipeline, Tensor]:
        """The pipeline and the picture (C, H, W). Raises ValueError where the result could not be written."""
        pipeline = opened(self.source, self.detail, self.types, self.device).using(steps=self.steps)
        check_folder(self.folder)
        picture = pipeline.read(self.image)
        self.say_reduced(picture)
        return pipeline, picture

    @property
    def file(self) -> Path | None:
        """The file of the picture, where it is named."""
        return self.image or (None if self.source.is_dir() else self.source)

    def say_reduced(self, picture: Tensor) -> None:
        """Where a picture has fewer pixels than its file."""
        say_reduced(self.file, picture, "a run trained with another --data.size" if self.source.is_dir() else "--detail")

    def hole(self, path: Path, picture: Tensor) -> Tensor:
        """The mask (1, H, W) of what is to be made anew."""
        return read_mask(path, picture, self.file)

    def made(self, pipeline: Pipeline, size: tuple[int, int], edit: Edit) -> Tensor:
        """`count` images of `size`."""
        return pipeline.generate(size, self.count, self.seed, edit=edit._replace(guides=self.guides()))

    def guides(self) -> list[Guide]:
        """What the result is pulled towards."""
        from restore.data.images import load_image
        from samplers.guides import losses

        pulls: list[Callable[[Tensor], Tensor]] = []
        if self.text and self.clip:
            pulls.append(losses.text(self.text, self.clip))
        if self.style is not None:
            pulls.append(losses.style(load_image(self.style, self.detail), 3))
        guides = [_pull(loss, self.weight) for loss in pulls]
        return guides + ([layout_guide(load_image(self.layout, self.detail))] if self.layout else [])

    def finish(self, images: dict[str, Tensor], shown: list[Tensor], columns: int) -> None:
        """Writes the images by name, and the grid."""
        from restore.data.images import grid, save_image
        from restore.machine.provenance import provenance

        for name, image in images.items():
            save_image(image, self.folder / f"{name}.png", provenance())
        save_image(grid([_shown(image) for image in shown], columns), self.folder / "grid.png")
        print(f"{len(images)} image(s) in {self.folder}; grid.png shows them")


@dataclass(frozen=True)
class _Soft(_Edit):
    soft: int = 0
    """Pixels over which what is known gives way to what is new: those of the known that lie nearer to it change too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, soft=WIDTH)

    def kept(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is known, and how far each of its pixels stays."""
        return picture, softened(mask, self.soft)


@dataclass(frozen=True)
class _Resampled(_Soft):
    resample: int = 3
    """Times that each step is taken, for old and new to agree; without training, each of the coarsest scale."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, resample=(1, 1000))


MOST_SHOWN = 1000
"""Pixels of the longer side of an image in a grid: one that is larger is reduced there."""


def _shown(image: Tensor) -> Tensor:
    share = MOST_SHOWN / max(image.shape[1:])
    size = (round(image.shape[1] * share), round(image.shape[2] * share))
    return image if share >= 1 else enlarge(image[None], size)[0]


def _pull(loss: Callable[[Tensor], Tensor], weight: float) -> Guide:
    return lambda restore, _: loss_guidance(restore, loss, weight)


@dataclass(frozen=True)
class Outpaint(_Resampled):
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
        made = self.made(pipeline, size, Edit(known=self.kept(canvas, mask), resample=self.resample))
        images = {f"{size[0]}x{size[1]}-seed-{self.seed + i}": image for i, image in enumerate(made)}
        self.finish(images, [canvas + (1 - mask), *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class Inpaint(_Resampled):
    """Part of a picture made anew; the rest stays, and so does the picture's size."""

    _: KW_ONLY
    mask: Path
    """Picture of the same size, white where it is to be made anew."""

    def __call__(self) -> None:
        from restore.data.images import load_image

        pipeline = opened(self.source, self.detail, self.types, self.device).using(steps=self.steps)
        check_folder(self.folder)
        file = self.file or pipeline.images
        picture = load_image(file, None, pipeline.size[0]) if file is not None and file.is_file() else pipeline.read()
        hole = self.hole(self.mask, picture)
        own = self.image in (None, self.source)
        if max(picture.shape) > (detail := max(pipeline.size[1:])):
            which = "" if self.source.is_dir() else " (--detail)"
            print(
                f"{file} keeps its {picture.shape[1]}x{picture.shape[2]} pixels; what is made anew is laid out at {detail} "
                f"pixels{which}, then given detail"
            )
        made = [
            inpaint(
                pipeline, picture, hole, self.seed + i, soft=self.soft, resample=self.resample, own=own, guides=self.guides()
            )
            for i in range(self.count)
        ]
        images = {f"seed-{self.seed + i}": image for i, image in enumerate(made)}
        self.finish(images, [picture * (1 - hole) + hole, *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class _FromSeverities(_Edit):
    severities: tuple[float, ...] = (0.3, 0.5, 0.7)
    """How far the picture is degraded before it is restored: more changes more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severities=SHARE)

    def made_at(self, pipeline: Pipeline, picture: Tensor, edit: Edit = UNEDITED) -> None:
        """A row of images for each severity."""
        size = (picture.shape[1], picture.shape[2])
        images: dict[str, Tensor] = {}
        for severity in self.severities:
            made = self.made(pipeline, size, edit._replace(begin=picture, severity=severity))
            images |= {f"severity-{severity:g}-seed-{self.seed + i}": image for i, image in enumerate(made)}
        found = list(images.values())
        rows = [found[i : i + self.count] for i in range(0, len(found), self.count)]
        columns = 1 + len(rows)
        shown = [x for i in range(self.count) for x in (picture, *(row[i] for row in rows))]
        self.finish(images, shown, columns)


@dataclass(frozen=True)
class _ByHand(_Soft, _FromSeverities):
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image is None:
            command = type(self).__name__.lower()
            raise ValueError(f"{command} takes a picture that was changed by hand: --image strokes.png, or with a paste.")


@dataclass(frozen=True)
class SDEdit(_ByHand):
    """Strokes, or a paste, made into a picture of the source: --image, and --mask if only part of it may change."""

    mask: Path | None = None
    """Picture of the same size, white where it may change (default: everywhere)."""

    def __call__(self) -> None:
        pipeline, picture = self.opened()
        known = self.kept(picture, 1 - self.hole(self.mask, picture)) if self.mask else None
        self.made_at(pipeline, picture, Edit(known=known))


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
        pipeline, picture = self.opened()
        hole = widened(self.hole(self.mask, picture), self.margin)
        self.made_at(pipeline, picture, Edit(known=self.kept(picture, 1 - hole), layout=True))


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
