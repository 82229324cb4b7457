"""Animorphosis: from the pictures of one set to those of another (Cold Diffusion, arXiv 2208.09392, section 5.3).

    python recipes/animorphosis.py                          # digits that come with scikit-learn
    python recipes/animorphosis.py train people/ --others animals/
    python recipes/animorphosis.py sample runs/people-image-mixing     # animals, turned into people
    python recipes/animorphosis.py train digits/3 --others digits/8

Without a second set, images are mixed with others of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Degradation, ImageMixing
from degrade.schedules import CosineBeta
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Images mixed with others over 200 levels of the cosine schedule, at 128 px (paper) or 64 px (fast)."""
    degradation = degradation or ImageMixing(CosineBeta(200))
    chosen = cold(images, degradation, preset, 128 if preset == "paper" else 64, 200)
    return replace(chosen, prediction="x0", show="samples")


main = cli.commands(recipe, __file__, __doc__, lambda: "digits")

if __name__ == "__main__":
    cli.run(main)
