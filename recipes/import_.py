"""Import a published model: make a run of it, which sample, edit and solve take like any other.

PATH is a folder in diffusers' format (Stable Diffusion 1, 2 and 3, inpainting with them, DDPM, DiT, PixArt), or the name of one
on the hub; weights are safetensors alone, and no code that comes with a model is executed. This needs the extra `pretrained`.
Or PATH is a .pt file with the weights of guided diffusion's, SinDiffusion's or Cold Diffusion's networks, of the last of which
the degradation says what they undo.

    thaw import stable-diffusion-v1-5/ --out runs/sd
    thaw sample runs/sd --prompt "a photograph of a lighthouse" --steps 30
    thaw edit inpaint runs/sd --image photo.jpg --mask mask.png --prompt "a wooden door"
    thaw solve blurry.jpg degradation:gaussian-blur --severity .2 --prior runs/sd --method dps
    thaw import 64x64_diffusion.pt --out runs/adm
    thaw import cold.pt degradation:iterated-blur --steps 50 --out runs/deblurring

The name of this file ends with _, since import is a word of Python; the command is called without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade import OPERATORS, Degradation
from recipes.command import cli
from recipes.command.limits import STEPS, check_options
from recipes.command.outputs import check_folder, first_free, plain_stem
from recipes.command.pasteable import pasteable, program
from restore.own_types import choice


@dataclass(frozen=True)
class Import:
    """Copies a published model into the folder of a run."""

    path: Positional[str]
    """Folder of a model, its name on the hub, such as owner/model, or a .pt file."""
    _: KW_ONLY
    degradation: Annotated[Degradation | None, choice(Degradation, (*OPERATORS, type(None)))] = None
    """What the weights of a .pt file undo, where it does not tell."""
    steps: int | None = None
    """Of the process that they were trained on (default: 1000)."""
    out: Path | None = None
    """Folder of the run (default: below runs/, named after the model)."""

    def __post_init__(self) -> None:
        check_options(self, steps=STEPS)

    def __call__(self) -> None:
        from restore.published.imported import import_model
        from restore.published.weights_file import import_weights
        from restore.run import open_run

        path = Path(self.path)
        folder = check_folder(self.out or first_free(Path("runs") / plain_stem(path)))
        if path.is_file():
            import_weights(path, folder, self.degradation, self.steps)
        elif self.degradation is not None or self.steps is not None:
            raise ValueError(f"{path} says itself what it undoes: degradation and --steps are for .pt files, leave them out.")
        else:
            import_model(self.path, folder)
        pipeline = open_run(folder)
        height, width = pipeline.size[1:]
        words = "words (--prompt)" if getattr(pipeline, "words", None) else ""
        told = words or (f"{len(pipeline.classes)} classes (--label)" if pipeline.classes else "")
        print(f"{folder}: images of {height}x{width}{f', conditioned on {told}' if told else ''}")
        asked = ("--prompt", "a picture of ...") if words else ("--label", pipeline.classes[0]) if pipeline.classes else ()
        print(f"sample it: {pasteable('sample', folder, *asked, recipe='sindiffusion.py')}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Import, args=args, prog=program(__file__), description=__doc__, config=(tyro.conf.CascadeSubcommandArgs,))()


if __name__ == "__main__":
    cli.run(main)
