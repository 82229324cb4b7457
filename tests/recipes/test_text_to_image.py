"""Text to image from a folder of captioned images: trained, opened, asked for by words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import Condition, UNetConfig
from recipes import text_to_image
from restore import open_run, save_image, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("text")
    for i, (name, level) in enumerate({"black": -0.9, "white": 0.9}.items()):
        save_image(torch.full((3, 16, 16), level), home / f"images/{i}.png")
        (home / f"images/{i}.txt").write_text(f"all {name}", encoding="utf-8")
    recipe = text_to_image.recipe(home / "images")
    network = UNetConfig(widths=(8, 16), depths=(1, 1), dropout=(0, 0), attention=(), transformer=1, groups=4, head=8, text=16)
    recipe = replace(
        recipe,
        data=replace(recipe.data, size=16, reduce=0),
        network=replace(network, image_channels=3),
        training=replace(recipe.training, steps=100, batch=8, warmup=5, preview_every=1000, ema=0.9),
        sampling=replace(recipe.sampling, steps=4),
    )
    train(recipe, home / "run", "cpu")
    return open_run(home / "run", "cpu")


def test_words_say_what_is_made(run):
    assert run.captions == ("all black", "all white") and run.restorer.network.accepts == ("tokens", "text")
    black, white = run.generate(count=2, condition=["all black", "all white"], progress=False)
    assert float(white.mean()) - float(black.mean()) > 1
    torch.testing.assert_close(run.generate(seed=1, progress=False)[0], white, rtol=0, atol=1e-4)  # in turn
    written = run.generate(count=2, condition=Condition.written("all black", "all white"), progress=False)
    assert torch.equal(written, torch.stack([black, white]))


def test_bad_words(run):
    with pytest.raises(ValueError, match="3 captions for 2 images"):
        run.generate(count=2, condition=["a", "b", "c"], progress=False)
    with pytest.raises(ValueError, match="at most 256 bytes"):
        run.generate(condition="a" * 300, progress=False)
