"""Generation from nothing but a mean colour: the walk back from total blur (Cold Diffusion, arXiv 2208.09392, section 6.1).

    python recipes/blur_generation.py                       # digits that come with scikit-learn
    python recipes/blur_generation.py train folder/
    python recipes/blur_generation.py sample runs/folder-iterated-blur --count 16
    python recipes/blur_generation.py sample runs/folder-iterated-blur --count 16 --noise 0     # symmetry unbroken
    python recipes/evaluate.py generation runs/folder-iterated-blur

At t = 1 an image is its mean colour. Those are drawn from a Gaussian mixture fitted to the images, and a little noise for
each pixel breaks the symmetry, without which one colour gives one image.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Degradation, IteratedBlur, Thumbnails
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """300 growing kernels of 27 taps to the mean, at 128 px (paper) or 64 px; fewer and smaller at the digits' 16 px (fast).

    Published priors have 1 or 10 components and noise of .001 to .004.
    """
    blur = IteratedBlur(300, 27, "exponential", 1.0, 0.01, "circular", mean_at_end=True)
    if preset == "fast":
        small = str(images) == "digits"
        blur = replace(blur, steps=40 if small else 100, size=11 if small else 27, rate=0.04 if small else 0.03, first=0.5)
    chosen = cold(images, degradation or blur, preset, 128 if preset == "paper" else 64, blur.steps)
    sampling = replace(chosen.sampling, steps=blur.steps)
    return replace(chosen, prior=None if degradation else Thumbnails(), prediction="x0", sampling=sampling, show="samples")


main = cli.commands(recipe, __file__, __doc__, lambda: "digits")

if __name__ == "__main__":
    cli.run(main)
