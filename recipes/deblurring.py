"""Deblurring: undo a chain of Gaussian blurs (Cold Diffusion, arXiv 2208.09392, section 5.1).

    python recipes/deblurring.py                            # photographs that come with scikit-image
    python recipes/deblurring.py train folder/              # yours
    python recipes/deblurring.py restore runs/folder-iterated-blur blurry.jpg --severities .3 .6 .9
    python recipes/deblurring.py degrade-and-restore runs/folder-iterated-blur --image photo.jpg --severity 1

Published, CelebA at 128 px, T = 200 (FID/SSIM/RMSE): degraded 382.81, Algorithm 2 26.14, direct 36.37 FID.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Degradation, IteratedBlur
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Blur of 200 growing kernels at 128 px (paper), of 50 at 64 px (fast), or of 20 for the digits' 16 px.

    A network trained for minutes on few photographs is walked in 4 steps: more of them invent detail (docs/cold.md).
    """
    if preset == "paper":
        return cold(images, degradation or IteratedBlur(), preset, 128, 200)
    if str(images) == "digits":
        return cold(images, degradation or IteratedBlur(20, 11, "linear", 0.35, 0.05), preset, 16, 20)
    return cold(images, degradation or IteratedBlur(50, 11, "linear", 0.35, 0.02), preset, 64, 4)


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
