"""Inpainting: fill a hole that grew from a point (Cold Diffusion, arXiv 2208.09392, section 5.2).

    python recipes/inpainting.py                            # photographs that come with scikit-image
    python recipes/inpainting.py train folder/              # yours
    python recipes/inpainting.py restore runs/folder-gaussian-mask torn.jpg --mask hole.png --severities .3 .6 .9
    python recipes/inpainting.py restore runs/folder-gaussian-mask faded.png --severities .6  # the hole is found
    python recipes/inpainting.py degrade-and-restore runs/folder-gaussian-mask --image photo.jpg --severity 1

Published FID, CelebA at 128 px, T = 100: degraded 127.85, Algorithm 2 5.73, direct 7.74.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Degradation, GaussianMask, Legible
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore import Objective
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """A hole in the middle after 100 masks at 128 px (paper), or anywhere after 50 at 64 px and at 16 px (fast).

    At 64 px the hole is found, what is left in it undone, and the network corrects a smooth fill of the rest; in 4 steps, like
    the blur of recipes/deblurring.py. Errors are relative to what is missing, for small holes to count as large ones do; Muon
    gets further in minutes.
    """
    if preset == "paper":
        return cold(images, degradation or GaussianMask(100, 0.2, 1, "middle"), preset, 128, 100)
    if str(images) == "digits":
        return cold(images, degradation or GaussianMask(50, 0.1), preset, 16, 50)
    chosen = cold(images, degradation or GaussianMask(50, 0.2), preset, 64, 4)
    prediction = "missing" if isinstance(chosen.degradation, Legible) else chosen.prediction
    training = replace(chosen.training, optimizer="muon", rate=2e-3, clip=0.3)
    return replace(chosen, prediction=prediction, training=training, objective=Objective("mse", "relative"))


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
