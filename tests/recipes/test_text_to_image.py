"""Text to image from a folder of captioned images: trained, opened, asked for by words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import Condition, UNetConfig
from recipes import diffedit, text_to_image
from restore import closed_form, load_image, open_run, save_image, train
from restore.pipelines.diffedit import diffedit as edited


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


def test_edited_by_words_where_a_mask_says(run, tmp_path, capsys):
    """From the command line; what is masked out stays, bit for bit."""
    black = torch.full((3, 16, 16), -0.9)
    half = torch.cat([torch.full((1, 16, 8), -1.0), torch.ones(1, 16, 8)], dim=2)
    picture, mask = save_image(black, tmp_path / "black.png"), save_image(half, tmp_path / "mask.png")
    words = [str(run.folder), str(picture), "--source", "all black", "--out", str(tmp_path / "out"), "--device", "cpu"]
    diffedit.main([*words, "--prompt", "all white", "--mask", str(mask), "--severity", "1"])
    made, before = load_image(tmp_path / "out/black.png"), load_image(picture)
    assert torch.equal(made[..., :8], before[..., :8]) and float((made - before)[..., 8:].abs().mean()) > 0.02
    assert "the mask is 50.0% of it" in capsys.readouterr().out
    assert (tmp_path / "out/black-grid.png").exists()
    diffedit.main([*words, "--prompt", "all white", "--threshold", "0.5"])
    assert float(load_image(tmp_path / "out/black-mask.png").mean()) > 0.5  # of [-1, 1]: two uniform pictures differ everywhere


def test_edits_that_cannot_be(run, photo):
    pictures = torch.full((1, 3, 16, 16), -0.9)
    for pipeline, target, options, message in (
        (run, " ", {}, "say in words what the picture is to become: the text is empty"),
        (run, "all black", {"source": "all black"}, "so that the mask is empty: say more, lower the threshold"),
        (run, "all white", {"mask": torch.zeros(1, 1, 16, 16)}, "the mask is empty: nothing would change"),
        (run, "all white", {"mask": torch.ones(1, 1, 8, 8)}, "a mask of pictures"),
        (closed_form(photo, 32), "all white", {}, "was not trained with words or classes: take a run of text_to_image.py"),
    ):
        with pytest.raises(ValueError, match=message):
            edited(pipeline, pictures, target, progress=False, **options)
