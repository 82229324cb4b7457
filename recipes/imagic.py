"""Imagic: a real picture changed as words say, its look and pose kept, by a run that reads words.

Kawar et al. 2022, "Imagic: Text-Based Real Image Editing with Diffusion Models", arXiv 2210.09276.

    python recipes/text_to_image.py                                                  # writes runs/captioned
    python recipes/imagic.py edit runs/captioned seven.png --prompt "a green seven"  # writes runs/seven-imagic
    python recipes/imagic.py again runs/seven-imagic --etas .5 .6 .7                 # other mixtures of what was learned
    python recipes/imagic.py edit runs/sd photo.jpg --prompt "a sitting dog"         # runs/sd: an imported Stable Diffusion

Three stages: the words' embedding is moved until the frozen network restores the picture best; the network is trained with it;
images are made of (1 - eta) of that embedding and eta of the words' own. What to expect: docs/tuning.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.limits import COUNT, GUIDANCE, check_options
from recipes.command.outputs import Outputs, check_folder, check_outputs, first_free, plain_stem
from recipes.command.pasteable import given, pasteable, program
from recipes.command.seen import OF_A_RUN, say_seen
from recipes.command.walk import Walk
from restore.own_types import types_in
from restore.tuning.imagic import Imagic, ImagicSettings, imagic, open_imagic, suited

if TYPE_CHECKING:
    from torch import Tensor

SWEEP = (-2.0, 3.0)
"""Of eta: beyond 0 and 1 is more than the words, or the picture, say."""


@dataclass(frozen=True)
class _Sweep(Walk):
    _: KW_ONLY
    etas: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Shares of the words: 0 is the picture, 1 the words alone."""
    count: int = 1
    """Images for each; image i has the seed `seed + i`."""
    guidance: float | None = None
    """Weight of the words, 1 as learned (default: the run's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, etas=SWEEP, count=COUNT, guidance=GUIDANCE)

    def outputs(self, out: Path | None, folder: Path, *inputs: Path) -> Outputs:
        """Where the images of each eta go, and the grid. Raises ValueError in one line where they cannot be written."""
        names = [f"eta-{eta:g}-seed-{self.seed + i}" for eta in dict.fromkeys(self.etas) for i in range(self.count)]
        return check_outputs(out, folder, names, ("grid",), inputs)

    def sweep(self, made: Imagic, out: Outputs, picture: Tensor | None = None) -> None:
        """Writes the images of each eta, and a grid with a row for each seed."""
        from restore.data.images import grid

        walked = made._replace(pipeline=self.walking(made.pipeline).using(guidance=self.guidance))
        etas = tuple(dict.fromkeys(self.etas))
        columns = [walked.edited(eta, self.count, self.seed) for eta in etas]
        note = {"prompt": made.caption}
        for eta, images in zip(etas, columns, strict=True):
            for seed, image in enumerate(images, self.seed):
                out.save(f"eta-{eta:g}-seed-{seed}", image, {**note, "eta": f"{eta:g}"})
        shown = [image for row in zip(*columns, strict=True) for image in ([] if picture is None else [picture]) + list(row)]
        out.save("grid", grid(shown, len(etas) + (picture is not None)), note)
        print(f"{out.said('grid')}, in the order of --etas")


@dataclass(frozen=True)
class Edit(_Sweep):
    """Learn a picture, and change it to what words say."""

    image: Positional[Path]
    """The picture."""
    _: KW_ONLY
    prompt: str
    """What the picture is to become."""
    embedding_steps: int | None = None
    """Steps in which the embedding is learned (default: 500 of a published model, else 100)."""
    embedding_rate: float | None = None
    """Learning rate of it (default: 1e-3, else 1e-2)."""
    tuning_steps: int | None = None
    """Steps in which the network is (default: 1000, else 100)."""
    tuning_rate: float | None = None
    """Learning rate of it (default: 2e-6, else 3e-4)."""
    batch: int | None = None
    """Severities and noises of the picture in a step (default: 1, else 8)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.settings(ImagicSettings())

    def settings(self, suited: ImagicSettings) -> ImagicSettings:
        """Those that suit the run, but for what was asked for."""
        asked = {one.name: value for one in fields(suited) if (value := getattr(self, one.name)) is not None}
        return replace(suited, **asked)

    def __call__(self) -> None:
        folder = check_folder(self.out or first_free(Path("runs") / f"{plain_stem(self.image)}-imagic"))
        out = self.outputs(None, folder / "samples", self.image)
        run = self.opened()
        picture = run.read(self.image)
        say_seen(self.image, picture, OF_A_RUN)
        made = imagic(run, picture, self.prompt, folder, self.settings(suited(run)), self.image)
        self.sweep(made, out, picture)
        options = given(steps=self.steps, sampler=self.sampler, guidance=self.guidance)
        print(f"other shares of the words: {pasteable('again', folder, *options, recipe='imagic.py')}")


@dataclass(frozen=True)
class Again(_Sweep):
    """Other images of a picture that was learned by `edit`: RUN is the folder that it wrote."""

    def __call__(self) -> None:
        out = self.outputs(self.out, first_free(self.run / "samples"))
        self.sweep(open_imagic(self.run, self.device, types_in(self.types)), out)


Command = Union[
    Annotated[Edit, tyro.conf.subcommand("edit")],
    Annotated[Again, tyro.conf.subcommand("again")],
]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Command, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
