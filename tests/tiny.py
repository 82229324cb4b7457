"""A recipe that trains in a second."""

from __future__ import annotations

from dataclasses import replace

from models import PatchUNetConfig
from recipes import sindiffusion
from recipes.recipe import Recipe
from restore import Crops

NETWORK = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), patch=2, norm="pixel")


def tiny(photo, **changes) -> Recipe:
    recipe = sindiffusion.recipe(photo)
    training = replace(recipe.training, steps=4, batch=2, warmup=1, log_every=4, save_every=4, preview_every=4)
    return replace(
        recipe,
        data=Crops(size=56, crop=16),
        network=NETWORK,
        training=training,
        sampling=replace(recipe.sampling, steps=3),
        **changes,
    )
