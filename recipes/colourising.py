"""Colourising: give a grey picture its colours back (Cold Diffusion, arXiv 2208.09392, appendix).

python recipes/colourising.py                           # photographs that come with scikit-image
python recipes/colourising.py train folder/             # yours
python recipes/colourising.py train folder/ degradation:decolour --degradation.space lab
python recipes/colourising.py restore runs/folder-decolour grey.jpg --severities .3 .6 .9
python recipes/colourising.py degrade-and-restore runs/folder-decolour --image photo.jpg --severity 1
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Decolour, Degradation
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Saturation that falls linearly, in 20 steps, at 128 px (paper) or 64 px (fast)."""
    return cold(images, degradation or Decolour(), preset, 128 if preset == "paper" else 64, 20)


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
