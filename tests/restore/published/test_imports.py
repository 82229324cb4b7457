"""What an import finds before a run is made, where it would otherwise be found at first use, or never; and what it takes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, T5Config, T5EncoderModel

from restore import open_run, pretrained
from restore.published.imported import import_model
from tests.published_models import clip_config, made
from tests.restore.published.test_folders import entries, without

WEIGHTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}


@pytest.fixture
def folder(published, tmp_path) -> Path:
    return shutil.copytree(published("sd")[1], tmp_path / "sd")


def sampled(path: Path) -> torch.Tensor:
    return pretrained(path, "cpu").using(steps=2).generate(seed=3, condition="a cat", progress=False)


@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e300])
@pytest.mark.parametrize("part", WEIGHTS)
def test_weights_that_are_no_numbers(part, value, folder, tmp_path):
    """1e300 is one in 64 bits, and none in the 32 that it would be used in."""
    state = load_file(folder / WEIGHTS[part])
    name = sorted(state)[-1]
    state[name] = state[name].double()
    state[name].view(-1)[-1] = value
    save_file(state, folder / WEIGHTS[part])
    with pytest.raises(ValueError, match=f"{WEIGHTS[part]} holds weights that are NaN or infinite: {name}.$"):
        import_model(folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def wide(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")
    CLIPTextModel(clip_config(hidden_size=16)).save_pretrained(folder / "text_encoder")


def few_words(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")
    CLIPTextModel(clip_config(vocab_size=70)).save_pretrained(folder / "text_encoder")


def second_encoder(folder: Path) -> None:
    for kind in ("text_encoder", "tokenizer"):
        shutil.copytree(folder / kind, folder / f"{kind}_2")
    named = json.loads((folder / "model_index.json").read_text())
    entries("model_index.json", text_encoder_2=named["text_encoder"], tokenizer_2=named["tokenizer"])(folder)


def told_depth(folder: Path) -> None:
    entries("unet/config.json", in_channels=7)(folder)


FEW = [("ddpm", 999, {"steps_offset": 1}), ("sd", 39, {"num_train_timesteps": 40})]


@pytest.mark.parametrize(("name", "wanted", "changes"), FEW)
def test_the_default_steps_can_be_taken(name, wanted, changes, published, tmp_path):
    """The published number, or the most that there are levels for, with an offset of 1."""
    folder = shutil.copytree(published(name)[1], tmp_path / name)
    entries("scheduler/scheduler_config.json", **changes)(folder)
    ours = pretrained(folder, "cpu")
    assert ours.sampling.steps == wanted
    assert bool(ours.generate(condition="", progress=False).isfinite().all())


INDEX, VAE = "model_index.json", "vae/config.json"
UNFIT = {
    "words of another width": (wide, r"UNet2DConditionModel cannot be run as it is configured: .*\[77, 16\]"),
    "words beyond those known": (few_words, "CLIPTokenizer has the token 75, CLIPTextModel knows those below 70; they are not"),
    "no text encoder": (entries(INDEX, text_encoder=[None, None]), "needs the text encoder that it was trained with"),
    "no word of one": (entries(INDEX, text_encoder=..., tokenizer=...), "needs the text encoder that it was trained with"),
    "two text encoders": (second_encoder, "holds a text_encoder_2, which its UNet2DConditionModel does not take"),
    "no words": (without("tokenizer/tokenizer.json"), "tokenizer holds no words: expected tokenizer.json, or vocab.json and m"),
    "words of nonsense": (
        lambda folder: (folder / "tokenizer/tokenizer.json").write_text("{}"),
        "tokenizer is no CLIPTokenizer",
    ),
    "no autoencoder": (entries(INDEX, vae=[None, None]), "lacks a vae: its UNet2DConditionModel works on 4 channels"),
    "grey pictures": (entries(VAE, in_channels=1), r"AutoencoderKL of images of 3 channels is served, got .*\[1, 3\]"),
    "a scale in words": (entries(VAE, scaling_factor="1/6"), "scaling_factor of AutoencoderKL is a number, got '1/6'"),
    "a picture of depth": (told_depth, "in_channels=7 and out_channels=4 is not served: it is told a whole picture, or"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_parts_that_do_not_fit(name, folder, tmp_path):
    change, message = UNFIT[name]
    change(folder)
    with pytest.raises(ValueError, match=message) as error:
        import_model(folder, tmp_path / "run")
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


def test_an_encoder_that_is_needed(published, tmp_path):
    """Of three, T5 may lack, with its entry in the index or without."""
    folder = shutil.copytree(published("sd3")[1], tmp_path / "sd3")
    expected = sampled(folder)
    entries(INDEX, text_encoder_3=..., tokenizer_3=...)(folder)
    assert torch.equal(sampled(folder), expected)
    entries(INDEX, text_encoder_2=[None, None])(folder)
    with pytest.raises(ValueError, match="needs both of its CLIP text encoders"):
        import_model(folder, tmp_path / "run")


@pytest.mark.parametrize("name", ["ddpm", "dit", "pixart"])
def test_what_fits(name, published, tmp_path):
    import_model(published(name)[1], tmp_path / "run")


def test_words_of_another_width_for_pixart(published, tmp_path):
    """T5 of weights that are its own, and that the transformer has no layer for."""
    folder = shutil.copytree(published("pixart")[1], tmp_path / "pixart")
    shutil.rmtree(folder / "text_encoder")
    config = T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=16, num_layers=2, num_heads=2)
    T5EncoderModel(config).save_pretrained(folder / "text_encoder")
    with pytest.raises(ValueError, match=r"PixArtTransformer2DModel cannot be run as it is configured: .*\[120, 16\]"):
        import_model(folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_one_of_diffusers(folder, tmp_path):
    """Without the parts that nothing here needs, which its index would name."""
    checker = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    entries(INDEX, safety_checker=checker, feature_extractor=["transformers", "CLIPImageProcessor"])(folder)
    import_model(folder, tmp_path / "run")
    theirs = StableDiffusionPipeline.from_pretrained(str(tmp_path / "run"))
    assert theirs.safety_checker is None and torch.equal(
        theirs.unet.conv_in.weight, load_file(folder / WEIGHTS["unet"])["conv_in.weight"]
    )


def test_a_run_of_another_format(folder, tmp_path):
    import_model(folder, tmp_path / "run")
    entries("imported.json", format=2)(tmp_path / "run")
    with pytest.raises(ValueError, match="imported.json is not of format 1: import the model anew"):
        open_run(tmp_path / "run", "cpu")


def test_a_size_that_the_network_is_padded_to(published, tmp_path):
    folder = shutil.copytree(published("ddpm")[1], tmp_path / "ddpm")
    entries("unet/config.json", sample_size=9)(folder)
    assert import_model(folder, tmp_path / "run").using(steps=1).generate(progress=False).shape == (1, 3, 9, 9)


def test_files_of_the_hub_are_links(folder, tmp_path):
    """To files beside the snapshot; the run holds files of its own."""
    expected = sampled(folder)
    (tmp_path / "blobs").mkdir()
    for number, file in enumerate(file for file in sorted(folder.rglob("*")) if file.is_file()):
        blob = tmp_path / f"blobs/{number}"
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, file.parent))
    import_model(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "blobs")
    made = open_run(tmp_path / "run", "cpu").using(steps=2).generate(seed=3, condition="a cat", progress=False)
    assert torch.equal(made, expected)


def test_words_in_two_files(folder):
    """As older models have them."""
    expected = sampled(folder)
    words = json.loads((folder / "tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    without("tokenizer/tokenizer.json")(folder)
    (folder / "tokenizer/vocab.json").write_text(json.dumps(words))
    with pytest.raises(ValueError, match="tokenizer holds no words"):
        sampled(folder)
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    assert torch.equal(sampled(folder), expected)


@pytest.mark.parametrize("size", ["10GB", "20KB"])
def test_variants(size, folder, tmp_path):
    """Half the precision in one file or several, alone; and beside the whole, which is taken."""
    expected = sampled(folder)
    theirs: StableDiffusionPipeline = made("sd")
    theirs.to(torch.float16).save_pretrained(tmp_path / "half", variant="fp16", max_shard_size=size)
    import_model(tmp_path / "half", tmp_path / "run")
    half = sampled(tmp_path / "run")
    assert 2e-5 < float((half - expected).abs().max()) < 0.02
    made("sd").save_pretrained(tmp_path / "half", max_shard_size=size)
    torch.testing.assert_close(sampled(tmp_path / "half"), expected, rtol=0, atol=1e-5)
