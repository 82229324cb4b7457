"""Recipes that train in a second, and leave nothing to a trial."""

from __future__ import annotations

from dataclasses import replace

from models import DDPMUNetConfig, PatchUNetConfig
from recipes import sindiffusion
from restore import Crops
from restore.recipe import Recipe

DECIDED = {"layout": "channels-last", "precision": "float32"}
NETWORK = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), patch=2, norm="pixel")


def tiny(photo, **changes) -> Recipe:
    recipe = sindiffusion.recipe(photo)
    training = replace(recipe.training, steps=4, batch=2, warmup=1, log_every=4, save_every=4, preview_every=4, **DECIDED)
    return replace(
        recipe,
        data=Crops(size=56, crop=16),
        network=NETWORK,
        training=training,
        sampling=replace(recipe.sampling, steps=3),
        **{"prior": None, **changes},  # likeness takes as long as so small a network
    )


def short(recipe: Recipe, steps: int = 2, **changes) -> Recipe:
    """A recipe on a folder of images, made short and small."""
    training = replace(recipe.training, steps=steps, batch=4, warmup=1, log_every=1, save_every=1, preview_every=1, **DECIDED)
    network = DDPMUNetConfig(recipe.data.channels, 8, (1, 2), blocks=1, attention=(), dropout=0.0, groups=4)
    walk = replace(recipe.sampling, steps=2)
    return replace(recipe, **{"network": network, "training": training, "sampling": walk, **changes})
