"""New images from one photograph in seconds, without training: the closed-form patch posterior, coarse to fine.

    python recipes/instant.py photo.jpg                                     # four new images, and figures
    python recipes/instant.py cup.jpg --preset object                       # keep more of its layout: also scene, texture
    python recipes/instant.py photo.jpg --novelty .6                        # from near the photograph (0) to rearranged (1)
    python recipes/instant.py photo.jpg --size 188x500 --retarget           # the same scene in another shape
    python recipes/instant.py brick.jpg --tileable                          # shown 2 x 2 as well
    python recipes/instant.py photo.jpg --symmetry left-right
    python recipes/instant.py photo.jpg --film walk.gif                     # how they come about
    python recipes/instant.py stones.jpg --structure face.jpg               # the layout of one, the matter of the other

Every patch of the result is a mean of patches of the photograph, weighted by how well each explains what is there
(arXiv 2606.04299; restore/patches/posterior.py), so that at coarse scales each is used as often as it occurs (optimal
transport, restore/patches/transport.py). Deterministic DDIM on alpha = 1 - t, sigma = t, at sizes a factor .75 apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.film import Film
from recipes.command.limits import COUNT, SEED, SIDE, STEPS, check_options
from recipes.command.outputs import check_file, check_outputs
from recipes.command.pasteable import program
from recipes.command.seen import say_seen
from recipes.command.size import OptionalSize
from restore.patches.settings import PatchSettings, dialled
from restore.pipelines.closed_form import closed_form
from restore.pipelines.editing import Guide, layout_guide
from restore.pipelines.generation import Edit
from samplers import Symmetry, seamless, symmetric

if TYPE_CHECKING:
    from torch import Tensor

Preset = Literal["scene", "object", "texture"]
NOVELTY: dict[Preset, float] = {"scene": 0.25, "object": 0.1, "texture": 0.75}
COPIES = 0.9
"""Share of patches that continue the photograph as their neighbour does, above which images look like it."""


@dataclass(frozen=True)
class Instant:
    """New images from one photograph, without training."""

    image: Positional[Path]
    """The photograph."""
    size: OptionalSize = None
    """Height x width in pixels, such as 188x500 (default: the photograph's)."""
    count: int = 4
    """Images; image i has the seed `seed + i`."""
    seed: int = 0
    """Everything random derives from it."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-instant); of one image also a file."""
    detail: int = 250
    """The longer side of the photograph is reduced to this, pixels."""
    retarget: bool = False
    """Start from the photograph squeezed to `size`."""
    tileable: bool = False
    """Images that can be laid side by side without a seam."""
    symmetry: Symmetry | None = None
    """Images that are their own mirror image, or their own half turn."""
    structure: Path | None = None
    """An image whose layout the new ones take."""
    film: Path | None = None
    """Write a film of how the first of them come about to this .gif or .webp."""
    judge: bool = True
    """Print the figures of recipes/judge.py but NNFDIV: their mean over the images, of every eighth patch."""
    preset: Preset = "scene"
    """What the photograph is of: `object` keeps most of its layout, `texture` hardly any, and has no above and below."""
    novelty: float | None = None
    """From near the photograph (0) to freely rearranged (1), in place of the preset's. Beyond .5 a scene stays upright; a
    `texture`, and what is tileable, lies either way."""
    device: str = "cpu"
    """Where it is computed: on a GPU (cuda) each patch is compared with all others."""
    steps: int = 4
    """Steps of each finer scale; the coarsest takes twice as many."""
    settings: PatchSettings = field(default_factory=PatchSettings)
    """How images are made of patches."""

    def __post_init__(self) -> None:
        check_options(self, count=COUNT, seed=SEED, detail=SIDE, steps=STEPS, novelty=(0, 1))

    def __call__(self) -> None:
        from restore.data.images import grid
        from restore.machine.processes import usable_device

        device = usable_device(self.device)
        pipeline = closed_form(self.image, self.detail, self.arranged(), device).using(steps=self.steps)
        photograph = pipeline.photograph
        say_seen(self.image, photograph, "--detail")
        size = self.size or (photograph.shape[1], photograph.shape[2])
        names = [f"{size[0]}x{size[1]}-seed-{self.seed + i}" for i in range(self.count)]
        beside = [*(f"{name}-2x2" for name in names if self.tileable), "grid"]
        out = check_outputs(self.out, Path("runs") / f"{self.image.stem}-instant", names, beside, (self.image, self.structure))
        start = Edit(photograph, 0.8) if self.retarget else Edit()
        if self.film and self.film.absolute() in {path.absolute() for path in out.files.values()}:
            raise ValueError(f"{self.film} is where an image goes: --film names another file.")
        film = Film(photograph, size, check_file(self.film, self.image, self.structure)) if self.film else None
        edit = start._replace(guides=self.guides())
        images = pipeline.generate(size, self.count, self.seed, edit=edit, on_step=film)
        for seed, (name, image) in enumerate(zip(names, images, strict=True), self.seed):
            out.save(name, image, {"seed": str(seed)})
            if self.tileable:
                out.save(f"{name}-2x2", image.repeat(1, 2, 2), {"seed": str(seed)})
        out.save("grid", grid([photograph, *images]))
        if film:
            film.save()
        if self.judge:
            copied = report(photograph, list(images))
            if copied > COPIES and self.novelty is None:
                print("nearly copies of the photograph: --novelty .6 rearranges it more")
        print(f"{out.said('grid')}, after the photograph")

    def arranged(self) -> PatchSettings:
        """The settings, with what novelty stands for where it, or a preset other than the usual, is asked for."""
        if self.novelty is None and self.preset == "scene":
            return self.settings
        novelty = NOVELTY[self.preset] if self.novelty is None else self.novelty
        return dialled(novelty, self.settings, scene=self.preset != "texture")

    def guides(self) -> list[Guide]:
        """What was asked for."""
        from degrade.transfer import moved
        from restore.data.images import load_image

        guides: list[Guide] = []
        if self.tileable:
            guides.append(lambda restore, _: seamless(restore, self.settings.side))
        if self.symmetry:
            symmetry = self.symmetry
            guides.append(lambda restore, _: symmetric(restore, symmetry))
        if self.structure:
            guides.append(layout_guide(moved(load_image(self.structure), self.device)))
        return guides


def report(photograph: Tensor, images: list[Tensor]) -> float:
    """Prints the figures of restore/evaluation/single_image.py, the mean over the images, of every eighth patch: `copied_near`
    of them is returned."""
    from restore.evaluation.single_image import Judge, diversity, mean

    reports = [*map(Judge(photograph, every=8), images)]
    figures = {**mean(reports)._asdict(), "diversity": diversity(images, photograph)}
    print("   ".join(f"{name} {value:.4f}" for name, value in figures.items() if value == value))
    return figures["copied_near"]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Instant, args=args, prog=program(__file__), description=__doc__, config=(tyro.conf.CascadeSubcommandArgs,))()


if __name__ == "__main__":
    cli.run(main)
