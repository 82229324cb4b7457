"""A tiny autoencoder, and diffusion in its latents: recipes on a folder of pictures that train in a second."""

from __future__ import annotations

from pathlib import Path

import torch

from models import AutoencoderConfig, UNetConfig
from recipes import autoencoder, latent_diffusion
from restore import Folder, save_image
from restore.autoencoder import TrainedAutoencoder
from restore.latents import Latents
from restore.recipe import Recipe
from tests.tiny import short

SIZE = 16


def pictures(home: Path) -> Path:
    """`home`, with four pictures in its folder images."""
    for i in range(4):
        x = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(i)) * 2 - 1
        x = torch.nn.functional.interpolate(x[None], (20, 24), mode="bicubic")[0].clamp(-1, 1)
        save_image(x, home / f"images/{i}.png")
    return home


def coder(home: Path, steps: int) -> Recipe:
    network = AutoencoderConfig(3, 4, (8, 8), groups=4, adversary=8)
    return short(autoencoder.recipe(home / "images"), steps, data=Folder(SIZE), network=network)


def latent(home: Path) -> Recipe:
    """In the latents of the run in `home`/autoencoder."""
    network = UNetConfig(4, (8, 8), (1, 1), (0.0, 0.0), (), groups=4)
    space = Latents(TrainedAutoencoder(home / "autoencoder"), scale=0.0)
    return short(latent_diffusion.recipe(home / "images"), data=Folder(SIZE), network=network, space=space)
