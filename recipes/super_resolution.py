"""Super-resolution: bring back pixels that were doubled in size (Cold Diffusion, arXiv 2208.09392, section 5.4).

    python recipes/super_resolution.py                      # photographs that come with scikit-image
    python recipes/super_resolution.py train folder/        # yours
    python recipes/super_resolution.py restore runs/folder-pixelate coarse.png --severities .3 .6 .9
    python recipes/super_resolution.py degrade-and-restore runs/folder-pixelate --image photo.jpg --severity 1

Coarse pixels are restored where they lie on the grid of training: blocks whose sides are powers of two, the picture at its own
size (--side, its longer side). A small picture is enlarged first, each pixel a block.

Published: 3 halvings at 32 px, 4 at 128 px, a sampling step for each.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Degradation, Pixelate
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Four halvings at 128 px, undone in four steps (paper); three at 64 px or two for the digits' 16 px, in 40 steps (fast).

    Severity is continuous here: between two halvings their images are blended. Walking through the blends gives better
    images than a step for each halving, by every measure (docs/cold.md).
    """
    halvings = 4 if preset == "paper" else 2 if str(images) == "digits" else 3
    steps = halvings if preset == "paper" else 40
    return cold(images, degradation or Pixelate(halvings), preset, 128 if preset == "paper" else 64, steps)


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
