"""Flow matching: images of a folder, generated along straight paths by a network that predicts the velocity.

Lipman et al. 2022, arXiv 2210.02747; rectified flow, Liu et al. 2022, arXiv 2209.03003; times after Esser et al. 2024,
arXiv 2403.03206; pairs of noise and image by optimal transport within a batch, Tong et al. 2023, arXiv 2302.00482.

    python recipes/flow_matching.py                                  # digits that come with scikit-learn, by class
    python recipes/flow_matching.py train folder/
    python recipes/flow_matching.py sample runs/folder --sampler heun --steps 10 --count 16
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Degradation, GaussianNoise, Independent, OptimalTransport, RectifiedFlow
from recipes import simple_diffusion
from recipes.command import cli
from recipes.command.training import Preset
from restore import LogitNormal, Objective
from restore.recipe import Recipe
from samplers import Midpoint


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """The networks of simple diffusion (recipes/simple_diffusion.py), its presets too; 25 steps of the midpoint rule.

    x_t = (1 - t) x0 + t z, and the squared error of z - x0 at logit-normal times. Noise and images are paired by optimal
    transport where there are no classes; where there are, it did not help (docs/solving.md).
    """
    chosen = simple_diffusion.recipe(images, preset, degradation or GaussianNoise(RectifiedFlow()))
    return replace(
        chosen,
        prediction="velocity",
        objective=Objective(),
        coupling=Independent() if chosen.data.labelled else OptimalTransport(),  # type: ignore[attr-defined]
        training=replace(chosen.training, times=LogitNormal()),
        sampling=replace(chosen.sampling, sampler=Midpoint(), steps=25, clip=False),
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "digits")

if __name__ == "__main__":
    cli.run(main)
