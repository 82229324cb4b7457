"""Import a published model: make a run of it, which sample, edit and solve take like any other.

PATH is a folder in diffusers' format (Stable Diffusion 1, 2 and 3, their inpainting, DDPM, DiT, PixArt), or the name of one on
the hub. Weights are safetensors alone, and no code that comes with a model is executed. Needs the extra `pretrained`.

    thaw import stable-diffusion-v1-5/ --out runs/sd
    thaw sample runs/sd --prompt "a photograph of a lighthouse" --steps 30
    thaw edit inpaint runs/sd --image photo.jpg --mask mask.png --prompt "a wooden door"
    thaw solve blurry.jpg degradation:gaussian-blur --severity .2 --prior runs/sd --method dps

Without installing, `thaw import` is `python recipes/import_.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.outputs import check_folder, first_free
from recipes.command.pasteable import pasteable, program


@dataclass(frozen=True)
class Import:
    """Copies a published model into the folder of a run."""

    path: Positional[str]
    """Folder of a model, or its name on the hub, such as owner/model."""
    _: KW_ONLY
    out: Path | None = None
    """Folder of the run (default: below runs/, named after the model)."""

    def __call__(self) -> None:
        from restore.pretrained.imported import import_model

        folder = check_folder(self.out or first_free(Path("runs") / (Path(self.path).name or "model")))
        pipeline = import_model(self.path, folder)
        height, width = pipeline.size[1:]
        told = " on words (--prompt)" if pipeline.words else f" on {len(pipeline.classes)} classes" if pipeline.classes else ""
        print(f"{folder}: images of {height}x{width}{', conditioned' + told if told else ''}")
        print(f"sample it: {pasteable('sample', folder, recipe='sindiffusion.py')}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Import, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
