"""Recipes of earlier versions, in today's words."""

from __future__ import annotations

from pathlib import Path

from restore.recipe import ALLOWED, Recipe
from restore.sampling import Sampling
from restore.storage.older import current
from restore.storage.specification import decode, encode


def test_settings_that_were_not_there_are_what_was_done_then():
    recipe = Recipe(Path("photo.jpg"), sampling=Sampling(steps=7))
    data = encode(recipe)
    for name in ("rescale", "threshold"):
        del data["sampling"][name]
    assert decode(current(data), ALLOWED, Recipe) == recipe
    assert current({**data, "sampling": 3})["sampling"] == 3  # refused where it is read
