"""What the commands of recipes/edit.py have in common: what is edited, with what, and where the images go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from recipes.command.limits import COUNT, GUIDANCE, SEED, SIDE, STEPS, WIDTH, check_options
from recipes.command.masks import read_mask
from recipes.command.outputs import Outputs, check_outputs
from recipes.command.seen import OF_A_RUN, say_seen
from recipes.command.source import is_run, name_of, opened, worded
from restore.pipelines.editing import Guide, layout_guide, softened
from restore.pipelines.generation import Edit
from restore.pipelines.pipeline import Pipeline
from samplers import enlarge, loss_guidance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Edited:
    source: Positional[Path]
    """A run (its folder, or hf://user/run), or a photograph to work from without training."""
    image: Path | None = None
    """The picture to edit (default: the photograph of the source)."""
    count: int = 1
    """Images of each kind; image i has the seed `seed + i`."""
    seed: int = 0
    """Everything random derives from it."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 4 a scale)."""
    detail: int = 250
    """Without training, the longer side of the pictures is reduced to this, pixels; with a mask the picture keeps its size,
    and what is laid out for it is of this size."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-<command>); of one image also a file."""
    prompt: str | None = None
    """Words that the result is to show, of a run that knows words; of one that knows classes, the name of one (default: each in
    turn, by the seed)."""
    negative: str | None = None
    """Words that guidance leads away from."""
    guidance: float | None = None
    """Weight of the prompt, 1 as learned (default: the run's)."""
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
        check_options(self, count=COUNT, steps=STEPS, detail=SIDE, seed=SEED, weight=(0, 2), guidance=GUIDANCE)
        if bool(self.text) != bool(self.clip):
            raise ValueError("--text and --clip belong together: words, and the CLIP that understands them.")

    def outputs(self, names: Sequence[str], mask: Path | None = None) -> Outputs:
        """Where images of these names go, and the grid. Raises ValueError in one line where they cannot be written."""
        folder = Path("runs") / f"{name_of(self.source)}-{type(self).__name__.lower()}"
        inputs = (self.source, self.image, self.style, self.layout, mask)
        return check_outputs(self.out, folder, names, ("grid",), inputs)

    def maker(self) -> Pipeline:
        """The pipeline, set as the options say."""
        pipeline = opened(self.source, self.detail, self.types, self.device)
        return worded(pipeline.using(steps=self.steps, guidance=self.guidance), self.prompt, self.negative)

    def opened(self) -> tuple[Pipeline, Tensor]:
        """The pipeline and the picture (C, H, W)."""
        pipeline = self.maker()
        picture = pipeline.read(self.image)
        self.say_seen(picture)
        return pipeline, picture

    def opened_whole(self) -> tuple[Pipeline, Tensor]:
        """The same, the picture at its own size."""
        from restore.data.images import load_image

        pipeline = self.maker()
        file = self.file or pipeline.images
        picture = load_image(file, None, pipeline.size[0]) if file is not None and file.is_file() else pipeline.read()
        return pipeline, picture

    def say_laid_out(self, pipeline: Pipeline, picture: Tensor) -> None:
        """Where what is made anew in a picture is laid out in fewer pixels than the picture's."""
        if max(picture.shape) > (detail := max(pipeline.size[1:])):
            which = "" if is_run(self.source) else " (--detail)"
            file, size = self.file or pipeline.images, f"{picture.shape[1]}x{picture.shape[2]}"
            print(f"{file} keeps its {size} pixels; what is made anew is laid out at {detail} pixels{which}, then given detail")

    @property
    def file(self) -> Path | None:
        """The file of the picture, where it is named."""
        return self.image or (None if is_run(self.source) else self.source)

    def say_seen(self, picture: Tensor) -> None:
        """Where a picture has fewer pixels than its file."""
        say_seen(self.file, picture, OF_A_RUN if is_run(self.source) else "--detail")

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

    def finish(self, out: Outputs, images: dict[str, Tensor], shown: list[Tensor], columns: int) -> None:
        """Writes the images by name, and the grid."""
        from restore.data.images import grid

        for name, image in images.items():
            out.save(name, image)
        out.save("grid", grid([_shown(image) for image in shown], columns))
        print(out.said("grid"))


@dataclass(frozen=True)
class Soft(Edited):
    soft: int = 0
    """Pixels over which what is known gives way to what is new: those of the known that lie nearer to it change too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, soft=WIDTH)

    def kept(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is known, and how far each of its pixels stays."""
        return picture, softened(mask, self.soft)


@dataclass(frozen=True)
class Resampled(Soft):
    resample: int = 3
    """Times that each step is taken, for old and new to agree; without training, each of the coarsest scale. A hole that is
    filled with pieces of the photograph takes no steps."""

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
