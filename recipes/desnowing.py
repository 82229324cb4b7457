"""Desnowing: take falling snow out of a picture (Cold Diffusion, arXiv 2208.09392, appendix).

    python recipes/desnowing.py                             # photographs that come with scikit-image
    python recipes/desnowing.py train folder/               # yours
    python recipes/desnowing.py restore runs/folder-snow snowy.jpg --direct --severities .3 .6 .9
    python recipes/desnowing.py degrade-and-restore runs/folder-snow --image photo.jpg --severity 1

Every image gets its own snow, whose seed is kept along the walk.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Degradation, Snow
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Snow of level 3 in 200 steps, at 128 px (paper) or 64 px (fast); of level 1 for the digits."""
    snow = Snow(1 if str(images) == "digits" else 3, 200)
    return cold(images, degradation or snow, preset, 128 if preset == "paper" else 64, 200 if preset == "paper" else 20)


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
