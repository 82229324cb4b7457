from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import UNetConfig
from recipes import text_to_image
from restore import open_run, save_image, train


@pytest.fixture(scope="session")
def words(tmp_path_factory):
    """A small run that reads captions: pictures that are all dark, or all bright."""
    home = tmp_path_factory.mktemp("words")
    for i, (name, level) in enumerate({"dark": -0.8, "bright": 0.8}.items()):
        save_image(torch.full((3, 16, 16), level), home / f"images/{i}.png")
        (home / f"images/{i}.txt").write_text(f"all {name}", encoding="utf-8")
    recipe = text_to_image.recipe(home / "images")
    network = UNetConfig(widths=(8, 16), depths=(1, 1), dropout=(0, 0), attention=(), transformer=1, groups=4, head=8, text=16)
    recipe = replace(
        recipe,
        data=replace(recipe.data, size=16, reduce=0),
        network=network,
        training=replace(recipe.training, steps=80, batch=8, warmup=5, preview_every=1000, ema=0.9).decided,
        sampling=replace(recipe.sampling, steps=4, guidance=1.0),
    )
    train(recipe, home / "run", "cpu")
    return open_run(home / "run", "cpu")
