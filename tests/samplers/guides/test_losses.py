"""Losses to steer by: least where they should be, differentiable, and a CLIP read from a folder."""

from __future__ import annotations

import json

import pytest
import torch

from degrade import seeded
from samplers.guides.losses import palette, style, text


def test_palette():
    colours = [(0.9, -0.9, 0.1), (-0.5, 0.5, 0.5)]
    loss = palette(colours, 0.05)
    flat = torch.tensor(colours)[:, :, None, None].expand(2, 3, 8, 9)
    mixed = flat.mean(0, keepdim=True)
    assert float(loss(flat).max()) < 1e-4 < 0.5 < float(loss(mixed))
    with pytest.raises(ValueError, match="colours have 3 channels, the images 1"):
        loss(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="at least one colour"):
        palette([])


def test_style():
    """0 at the reference, and nearly so at its mirror image; more for other colours and other textures."""
    reference = torch.rand(3, 32, 48, generator=seeded(0)) * 2 - 1
    loss = style(reference, 3)
    smooth = torch.nn.functional.avg_pool2d(reference[None], 5, 1, 2)
    values = [float(loss(x)) for x in (reference[None], reference.flip(-1)[None], reference[None] + 0.2, smooth)]
    assert values[0] < 1e-9 and values[1] < 0.05 * min(values[2:])
    assert loss(torch.cat([smooth, reference[None]])).shape == (2,)
    with pytest.raises(ValueError, match="at least 16 pixels a side"):
        style(torch.zeros(3, 15, 40))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny CLIP with random weights, as transformers saves it, with a vocabulary of letters."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = {token: i for i, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = {**small, "vocab_size": len(vocabulary), "eos_token_id": len(vocabulary) - 1, "max_position_embeddings": 77}
    config = transformers.CLIPConfig(
        text_config=words, vision_config={**small, "image_size": 32, "patch_size": 8}, projection_dim=16
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.CLIPModel(config).save_pretrained(folder)
    return str(folder)


def test_text_similarity_rises(clip):
    """Down the gradient, for images of any size and with one channel too; words matter; weights do not change."""
    from samplers import loss_guidance

    loss = text("a storm at sea", clip)
    for shape in ((2, 3, 20, 45), (1, 1, 40, 40)):
        x = torch.rand(shape, generator=seeded(1)) * 2 - 1
        y = loss_guidance(lambda x, t: x, loss, 0.02, iterations=10)(x, torch.ones(len(x)))
        assert bool((loss(y) < loss(x)).all()) and float((y - x).abs().max()) <= 0.2 + 1e-5
    assert not torch.allclose(loss(x), text("sunny fields", clip)(x))
    assert torch.equal(loss(x), text("a storm at sea", clip)(x))


def test_a_clip_that_is_none(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="is neither a folder with a CLIP nor one that can be had from the hub"):
        text("words", str(tmp_path))


def test_without_transformers(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"text needs transformers: python -m pip install"):
        text("words", "clip")
