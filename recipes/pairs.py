"""Learn from pairs of pictures, clean and degraded, to undo what was done: nobody needs to know what it was.

    python recipes/pairs.py                                          # photographs, and the same as JPEGs of quality 10
    python recipes/pairs.py train clean/ --paired degraded/          # files of the same names
    python recipes/pairs.py train clean/ --paired degraded/ degradation:bridge
    python recipes/pairs.py restore runs/clean-image-mixing degraded.jpg
    python recipes/pairs.py train clean/ --paired degraded/ --preset regression

InDI: Delbracio & Milanfar 2023, arXiv 2303.11435: x_t = (1 - t) x0 + t y, walked back from the degraded picture y at t = 1.
I2SB: Liu et al. 2023, arXiv 2302.05872: the same with noise in between (`degradation:bridge`), so that answers differ.
Pictures are learned from, and restored, at their own size. Fewer steps are nearer to the truth on average (1 is regression),
more are sharper: docs/solving.md has what was measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Bridge, Degradation, ImageMixing, Paired, RectifiedFlow
from recipes.cold import cold
from recipes.command import cli
from restore import Levels, Objective, UniformTimes
from restore.recipe import Recipe
from samplers import DDIM, DDPM

Preset = Literal["fast", "paper", "regression"]
LARGEST = 65_536
"""Pixels that pictures are reduced to: none are, for what is done to them is often finer."""


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Squared errors of the residual, at severities of all sizes; InDI in 10 steps of DDIM, a bridge in 10 of DDPM.

    `regression`: the network sees the degraded pictures alone, and restores in one step.
    The networks of `fast` and `paper` are those of the Cold Diffusion recipes (recipes/cold.py).
    """
    degradation = degradation or ImageMixing(RectifiedFlow())
    direct = preset == "regression"
    published = preset == "paper"
    chosen = cold(images, degradation, "paper" if published else "fast", 128 if published else 64, 10)
    sampler = DDPM("small") if isinstance(degradation, Bridge) else DDIM()
    return replace(
        chosen,
        prediction="residual",
        data=replace(chosen.data, reduce=LARGEST),  # type: ignore[type-var]
        coupling=Paired(),
        paired=Path("jpeg") if str(images) == "photographs" else None,
        objective=Objective("mse"),
        training=replace(chosen.training, times=Levels(1) if direct else UniformTimes()),
        sampling=replace(chosen.sampling, sampler=sampler, steps=1 if direct else 10),
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
