"""Learn from pairs of pictures, clean and degraded, to undo what was done: nobody needs to know what it was.

    python recipes/pairs.py                                          # photographs, and the same as JPEGs of quality 10
    python recipes/pairs.py train clean/ --paired degraded/          # files of the same names
    python recipes/pairs.py train clean/ --paired degraded/ degradation:bridge
    python recipes/pairs.py restore runs/clean-image-mixing degraded.jpg
    python recipes/pairs.py train clean/ --paired degraded/ training.times:levels --training.times.count 1   # direct regression

InDI: Delbracio & Milanfar 2023, arXiv 2303.11435: x_t = (1 - t) x0 + t y, walked back from the degraded picture y at t = 1.
I2SB: Liu et al. 2023, arXiv 2302.05872: the same with noise in between (`degradation:bridge`), so that answers differ.
Fewer steps are nearer to the truth on average (1 is regression), more are sharper: docs/pairs.md has what was measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Bridge, Degradation, ImageMixing, Paired, RectifiedFlow
from recipes.cold import cold
from recipes.command import cli
from recipes.command.training import Preset
from restore import Objective, UniformTimes
from restore.recipe import Recipe
from samplers import DDIM, DDPM


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Squared errors of the residual, at severities of all sizes; InDI in 10 steps of DDIM, a bridge in 10 of DDPM.

    The network and its presets are those of the Cold Diffusion recipes (recipes/cold.py).
    """
    degradation = degradation or ImageMixing(RectifiedFlow())
    chosen = cold(images, degradation, preset, 128 if preset == "paper" else 64, 10)
    sampler = DDPM("small") if isinstance(degradation, Bridge) else DDIM()
    return replace(
        chosen,
        prediction="residual",
        coupling=Paired(),
        paired=Path("jpeg") if str(images) == "photographs" else None,
        objective=Objective("mse"),
        training=replace(chosen.training, times=UniformTimes()),
        sampling=replace(chosen.sampling, sampler=sampler, steps=10),
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
