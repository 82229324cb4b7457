"""simple diffusion: images of a folder, generated at full resolution by one network, with or without classes.

Hoogeboom et al. 2023, "simple diffusion: End-to-end diffusion for high resolution images", arXiv 2301.11093; loss weighting and
the residual U-ViT from its successor, arXiv 2410.19324.

    python recipes/simple_diffusion.py                                  # digits that come with scikit-learn, by class
    python recipes/simple_diffusion.py train folder/                    # yours
    python recipes/simple_diffusion.py train folder/ --data.labelled    # its sub-folders are classes
    python recipes/simple_diffusion.py sample runs/folder --label cat --guidance 2 --count 16
    python recipes/evaluate.py classes runs/folder test/                # does a classifier see the class that was asked for?

Preset `paper` is a U-ViT at 128 px, for GPUs; `fast` a small one, for minutes on two CPU cores: see `recipe`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Degradation, GaussianNoise, ShiftedCosine
from models import PatchStem, UNetConfig
from recipes.command import cli
from recipes.command.training import Preset
from restore import Folder, Objective, Training
from restore.data.bundled import SETS
from restore.recipe import Recipe
from restore.sampling import Sampling
from samplers import DDPM


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """v-prediction under the cosine schedule that is shifted to the images' size, a U-ViT, dropout at low resolution only.

    `paper`: 128 px, four levels of 128 to 1024 channels, a transformer of 16 blocks at 16 x 16, multiscale loss in eps space.
    `fast`: 64 px (a set by name brings its own size, and classes if it has any), a transformer of 4 blocks, behind a stem of
    squares of 2 x 2 pixels; no shift below 64 px, and a plain loss (docs/benchmarks.md has what these choices are worth).
    """
    known = SETS.get(str(images))
    channels = known.channels if known else 3
    small = known.size if known else 64
    data = Folder(small, known.reduce if known else 0, 3 if channels == 3 else 1, known.flip if known else True)
    if known and known.classes:
        data = replace(data, labelled=True)
    if preset == "paper":
        return Recipe(
            images=Path(images),
            degradation=degradation or GaussianNoise(ShiftedCosine(128)),
            data=replace(data, size=128, reduce=max(data.reduce, 128)),
            network=UNetConfig(
                image_channels=channels,
                widths=(128, 256, 512, 1024),
                depths=(3, 3, 3, 3),
                dropout=(0.0, 0.0, 0.1, 0.1),
                attention=(),
                transformer=16,
                head=64,
            ),
            prediction="v",
            objective=Objective(weight="eps", coarsest=32),
            training=Training(steps=500_000, batch=256, rate=1e-4, warmup=10_000, clip=1.0, ema=0.9999),
            sampling=Sampling(DDPM("small"), steps=256, guidance=1.0),
        )
    levels = 3 if small <= 32 else 4
    network = UNetConfig(
        image_channels=channels,
        widths=(32, 64, 128, 128)[:levels],
        depths=(1, 1, 1, 1)[:levels],
        dropout=(0.0, 0.0, 0.1, 0.1)[:levels],
        attention=(),
        transformer=4,
        groups=8,
    )
    training = Training(rate=1e-3, warmup=100, decay="cosine", clip=1.0, ema=0.995)
    return Recipe(
        images=Path(images),
        degradation=degradation or GaussianNoise(ShiftedCosine(small, min(64, small), min(64, small))),
        data=data,
        network=network,
        stem=PatchStem(2),
        prediction="v",
        objective=Objective(),
        training=replace(training, steps=2500, batch=32) if small <= 32 else replace(training, steps=2500, batch=8),
        sampling=Sampling(DDPM("small"), steps=50, guidance=1.5 if data.labelled else 1.0),
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "digits")

if __name__ == "__main__":
    cli.run(main)
