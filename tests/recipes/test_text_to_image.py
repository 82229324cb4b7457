"""Text to image from a folder of captioned images: trained, opened, asked for by words."""

from __future__ import annotations

import pytest
import torch

from models import Condition
from recipes import diffedit
from restore import closed_form, load_image, save_image
from restore.pipelines.diffedit import diffedit as edited


def test_words_say_what_is_made(words):
    assert words.captions == ("all dark", "all bright") and words.restorer.network.accepts == ("tokens", "text")
    dark, bright = words.generate(count=2, condition=["all dark", "all bright"], progress=False)
    assert float(bright.mean()) - float(dark.mean()) > 1
    torch.testing.assert_close(words.generate(seed=1, progress=False)[0], bright, rtol=0, atol=1e-4)  # in turn
    written = words.generate(count=2, condition=Condition.written("all dark", "all bright"), progress=False)
    assert torch.equal(written, torch.stack([dark, bright]))


def test_no_words_are_no_captions(words):
    """An empty prompt asks for nothing in particular; none, for the training captions in turn."""
    made = words.generate(count=2, progress=False)
    empty = words.saying("").generate(count=2, progress=False)
    assert torch.equal(empty, words.generate(count=2, condition="", progress=False)) and not torch.equal(empty, made)
    assert torch.equal(made, words.generate(count=2, condition=list(words.captions[:2]), progress=False))


def test_bad_words(words):
    with pytest.raises(ValueError, match="3 captions for 2 images"):
        words.generate(count=2, condition=["a", "b", "c"], progress=False)
    with pytest.raises(ValueError, match="at most 256 bytes"):
        words.generate(condition="a" * 300, progress=False)


def test_edited_by_words_where_a_mask_says(words, tmp_path, capsys):
    """From the command line; what is masked out stays, bit for bit."""
    dark = torch.full((3, 16, 16), -0.8)
    half = torch.cat([torch.full((1, 16, 8), -1.0), torch.ones(1, 16, 8)], dim=2)
    picture, mask = save_image(dark, tmp_path / "dark.png"), save_image(half, tmp_path / "mask.png")
    said = [str(words.folder), str(picture), "--source", "all dark", "--out", str(tmp_path / "out"), "--device", "cpu"]
    diffedit.main([*said, "--prompt", "all bright", "--mask", str(mask), "--severity", "1"])
    made, before = load_image(tmp_path / "out/dark.png"), load_image(picture)
    assert torch.equal(made[..., :8], before[..., :8]) and float((made - before)[..., 8:].abs().mean()) > 0.02
    assert "the mask is 50.0% of it" in capsys.readouterr().out
    assert (tmp_path / "out/dark-grid.png").exists()
    diffedit.main([*said, "--prompt", "all bright", "--threshold", "0.25"])
    assert float(load_image(tmp_path / "out/dark-mask.png").mean()) > 0.5  # of [-1, 1]: two uniform pictures differ everywhere


def test_edits_that_cannot_be(words, photo):
    pictures = torch.full((1, 3, 16, 16), -0.8)
    for pipeline, target, options, message in (
        (words, " ", {}, "say in words what the picture is to become: the text is empty"),
        (words, "all dark", {"source": "all dark"}, "so that the mask is empty: say more, lower the threshold"),
        (words, "all bright", {"mask": torch.zeros(1, 1, 16, 16)}, "the mask is empty: nothing would change"),
        (words, "all bright", {"mask": torch.ones(1, 1, 8, 8)}, "a mask of pictures"),
        (closed_form(photo, 32), "all bright", {}, "was not trained with words or classes: take a run of text_to_image.py"),
    ):
        with pytest.raises(ValueError, match=message):
            edited(pipeline, pictures, target, progress=False, **options)
