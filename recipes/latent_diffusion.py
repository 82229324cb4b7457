"""Latent diffusion: images of a folder, generated in the latents of an autoencoder that was trained before.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv 2112.10752.

    python recipes/autoencoder.py train folder/
    python recipes/latent_diffusion.py train folder/ --autoencoder runs/folder-autoencoder
    python recipes/latent_diffusion.py sample runs/folder --count 16
    python recipes/edit.py sdedit runs/folder --image photo.jpg --severities .3 .5

The network is simple diffusion's (recipes/simple_diffusion.py). A run names its autoencoder by folder and weights, and is
opened without being told; the latents' scale is measured on training images, and kept in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Cosine, Degradation, GaussianNoise
from models import UNetConfig
from recipes import simple_diffusion
from recipes.command import cli
from recipes.command.training import Preset
from restore import Objective
from restore.autoencoder import TrainedAutoencoder
from restore.latents import Latents
from restore.recipe import Recipe

CHANNELS = 4
"""Of the latents of recipes/autoencoder.py."""


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """v-prediction under the cosine schedule; images are encoded as they are drawn. --autoencoder names whose latents.

    `paper`: 256 px, 64 x 64 cells, a U-ViT of 128 to 512 channels. `fast`: the images of simple diffusion's, a U-ViT of two
    levels, 64 and 128 channels, on 16 x 16 cells.
    """
    chosen = simple_diffusion.recipe(images, preset, degradation or GaussianNoise(Cosine()))
    network = UNetConfig(CHANNELS, (64, 128), (1, 1), (0.0, 0.1), attention=(), transformer=4, groups=8)
    if preset == "paper":
        network = UNetConfig(CHANNELS, (128, 256, 512), (2, 2, 2), (0.0, 0.0, 0.1), (), transformer=12, head=64)
        chosen = replace(chosen, data=replace(chosen.data, size=256, reduce=256))  # type: ignore[type-var]
    return replace(
        chosen,
        network=network,
        stem=None,
        objective=Objective(),
        training=replace(chosen.training, batch=32) if preset == "fast" else chosen.training,
        space=Latents(TrainedAutoencoder(), scale=0.0),
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "digits")

if __name__ == "__main__":
    cli.run(main)
