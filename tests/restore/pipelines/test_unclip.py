"""unCLIP: a prior over the embedding of an image and a decoder of it, trained, opened, and used together."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch

from models import Condition, DiTConfig, UNetConfig
from recipes import autoencoder
from recipes import unclip as recipe
from restore import Folder, Training, load_image, open_run, save_image, train
from restore.autoencoder import TrainedAutoencoder
from restore.data.embedded import embedded
from restore.latents import Latents
from restore.pipelines.unclip import unclip, variations

WIDTHS, CHANNELS = (8, 8, 8, 8, 32), 4  # of 16 x 16 pixels, one cell
LEVELS = {"dark": -0.8, "bright": 0.8}
PLAN = Training(batch=8, warmup=5, preview_every=1000, ema=0.9, rate=5e-3).decided


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("unclip")
    for i, (name, level) in enumerate(LEVELS.items()):
        save_image(torch.full((3, 16, 16), level), home / f"images/{i}.png")
        (home / f"images/{i}.txt").write_text(f"all {name}", encoding="utf-8")
    whole = autoencoder.recipe(home / "images")
    network = replace(whole.network, widths=WIDTHS, latent_channels=CHANNELS, groups=4)
    whole = replace(whole, data=Folder(16), network=network, training=replace(PLAN, steps=50))
    train(whole, home / "autoencoder", "cpu")
    return home


@pytest.fixture(scope="module")
def codec(home):
    return Latents(TrainedAutoencoder(home / "autoencoder"), scale=0.0)


@pytest.fixture(scope="module")
def prior(home, codec):
    whole = recipe.recipe(home / "images", "prior")
    network = DiTConfig(CHANNELS, patch=1, width=16, depth=1, head=8, text=16)
    walk = replace(whole.sampling, steps=4, guidance=1.0)
    whole = replace(whole, data=replace(whole.data, size=16, reduce=0), network=network, space=codec, sampling=walk)
    train(replace(whole, training=replace(PLAN, steps=80)), home / "prior", "cpu")
    return open_run(home / "prior", "cpu")


@pytest.fixture(scope="module")
def decoder(home, codec):
    whole = recipe.recipe(home / "images", "decoder")
    network = UNetConfig(3, (8, 16), (1, 1), (0, 0), (), transformer=1, groups=4, head=8, pooled=CHANNELS)
    data = replace(whole.data, size=16, reduce=0, embedding=codec)
    whole = replace(whole, data=data, network=network, stem=None, sampling=replace(whole.sampling, steps=4, guidance=1.0))
    train(replace(whole, training=replace(PLAN, steps=50)), home / "decoder", "cpu")
    return open_run(home / "decoder", "cpu")


def test_the_three_networks_fit_together():
    """Of the set that the recipe is for; the first is what is trained where nothing is said."""
    first, prior, decoder = (recipe.recipe("captioned", preset) for preset in ("autoencoder", "prior", "decoder"))
    assert recipe.recipe("captioned") == first and get_args(recipe.Preset)[0] == "autoencoder"
    for images in ("captioned", "folder"):
        whole = recipe.recipe(images)
        assert whole.network.stride == whole.data.size == recipe.recipe(images, "decoder").data.size
    assert first.network.stride == 32 and first.network.latent_channels == recipe.WIDTH
    assert prior.network.image_channels == decoder.network.pooled == recipe.WIDTH
    assert prior.accepts == ("tokens", "text") and decoder.accepts == ("pooled",)
    assert prior.data.captions and not decoder.data.captions


def test_words_by_way_of_an_embedding(prior, decoder):
    made = unclip(prior, decoder, ["all dark", "all bright"] * 2, 4, progress=False)
    assert float(made[1::2].mean()) - float(made[::2].mean()) > 1
    torch.testing.assert_close(unclip(prior, decoder, ["all bright"], 1, seed=3, progress=False)[0], made[3], rtol=0, atol=1e-4)


def test_the_embedding_is_standardised_and_kept(prior, decoder):
    """Both runs measured the scale of one autoencoder, and open with it, pinned to its weights."""
    space = decoder.data.embedding
    assert space == prior.space and space.codec.weights and space.scale > 0
    images = torch.stack([torch.full((3, 16, 16), level) for level in LEVELS.values()])
    pooled = embedded(space, images)
    assert pooled.shape == (2, CHANNELS) and 0.5 < float(pooled.std(correction=0)) < 2
    assert torch.equal(pooled, space.encode(images).flatten(1))
    assert decoder.restorer.accepts == ("pooled",)


def test_variations(decoder):
    for level in LEVELS.values():
        made = variations(decoder, torch.full((3, 16, 16), level), 3, progress=False)
        assert made.shape == (3, 3, 16, 16) and abs(float(made.mean()) - level) < 0.3
    told = Condition(pooled=embedded(decoder.data.embedding, torch.full((1, 3, 16, 16), 0.8)))
    assert torch.equal(made, decoder.generate(count=3, condition=told, progress=False))


def test_the_commands(prior, decoder, home, capsys):
    both = [str(prior.folder), "--decoder", str(decoder.folder)]
    recipe.main(["generate", *both, "--prompt", "all bright", "--count", "2", "--device", "cpu"])
    assert float(load_image(prior.folder / "samples/seed-1.png").mean()) > 0
    recipe.main(["vary", str(decoder.folder), str(home / "images/0.png"), "--count", "2", "--device", "cpu"])
    assert float(load_image(decoder.folder / "variations/seed-1.png").mean()) < 0
    assert "2 images in" in capsys.readouterr().out


def test_bad_input(prior, decoder, home, codec):
    with pytest.raises(ValueError, match="decodes no embeddings"):
        unclip(prior, prior, progress=False)
    with pytest.raises(ValueError, match="makes images, no embeddings"):
        unclip(decoder, decoder, progress=False)
    with pytest.raises(ValueError, match="makes more than the one cell that an embedding is, of 64 x 64 pixels"):
        unclip(replace(prior, size=(3, 64, 64)), decoder, progress=False)
    other = replace(decoder, data=replace(decoder.data, embedding=Latents(TrainedAutoencoder(home), scale=1.0)))
    with pytest.raises(ValueError, match="embeddings of two autoencoders"):
        unclip(prior, other, progress=False)
    with pytest.raises(ValueError, match=r"varies pictures of shape \(3, 16, 16\), got \(3, 32, 32\)"):
        variations(decoder, torch.zeros(3, 32, 32))
    whole = recipe.recipe(home / "images", "decoder")
    with pytest.raises(ValueError, match="--autoencoder names the folder"):
        train(whole, home / "none", "cpu")
    wide = replace(whole.data, size=32, reduce=0, embedding=codec)
    with pytest.raises(ValueError, match="an embedding is one cell, and the autoencoder makes 2 along a side"):
        wide.open(home / "images")
