from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)  # two processes test on two cores
torch.backends.cudnn.allow_tf32 = False  # on a GPU tolerances are those of float32


def draw_photo(path: Path) -> Path:
    """A small picture with edges, colours and texture, as a PNG of 40 x 56."""
    y, x = np.mgrid[0:40, 0:56]
    picture = np.stack([127 + 90 * np.sin(x / 5) * np.cos(y / 7), 255 * (y > 20), 40 + 3 * x], -1)
    picture += np.random.default_rng(0).normal(0, 8, picture.shape)
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw_photo(tmp_path / "photo.png")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Any, Path]]:
    """A tiny published pipeline of diffusers by its name, and the folder that it lies in, which no test changes: made once."""
    from tests.published_models import made, saved

    kept: dict[str, tuple[Any, Path]] = {}

    def get(name: str, **options: Any) -> tuple[Any, Path]:
        key = f"{name}{options}"
        if key not in kept:
            theirs = made(name, **options)
            kept[key] = theirs, saved(theirs, tmp_path_factory.mktemp("published") / name)
        return kept[key]

    return get


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small run that reads captions: pictures that are all dark, or all bright."""
    from models import UNetConfig
    from recipes import text_to_image
    from restore import open_run, save_image, train

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


@pytest.fixture
def images() -> torch.Tensor:
    """A batch whose B, C, H and W all differ, so that a wrong broadcast fails: (4, 2, 11, 14) in [-1, 1]."""
    return torch.rand(4, 2, 11, 14, generator=torch.Generator().manual_seed(7)) * 2 - 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=0, help="how often tests/recipes/test_kills.py kills each run")
    parser.addoption("--extremes", action="store_true", help="put every option of every program through the parser")
    parser.addoption("--damages", type=int, default=15, help="how often tests/damaged_*.py damage a file in each of their ways")
    parser.addoption("--crafts", type=int, default=30, help="how many run folders tests/crafted_runs.py crafts")
