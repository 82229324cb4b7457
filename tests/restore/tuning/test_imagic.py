"""Imagic: its stages train what they say and nothing else; between picture and words it is a mixture; it opens again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from degrade import seeded, seeds
from models import Condition
from recipes import imagic as recipe
from restore import load_image, open_run, pretrained, save_image
from restore.tuning.imagic import EMBEDDING, FILE, ImagicSettings, imagic, open_imagic, suited
from restore.tuning.trainable import Told, trainable, used
from tests.published_models import made, saved

SHORT = ImagicSettings(embedding_steps=20, embedding_rate=0.1, tuning_steps=120, tuning_rate=5e-3, batch=8)


@pytest.fixture(scope="module")
def picture():
    """Red, which the run has never seen."""
    return torch.tensor([0.8, -0.8, -0.8])[:, None, None].expand(3, 16, 16).contiguous()


@pytest.fixture(scope="module")
def learned(words, picture, tmp_path_factory):
    return imagic(words, picture, "all bright", tmp_path_factory.mktemp("imagic") / "run", SHORT)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return pretrained(saved(made("sd"), tmp_path_factory.mktemp("sd") / "sd"), "cpu").using(steps=2)


def test_tokens_stand_for_words(words, published):
    for pipeline in (words, published):
        said = pipeline.generate(seed=3, condition="all bright", progress=False)
        told = pipeline.generate(seed=3, condition=pipeline.embedded("all bright"), progress=False)
        assert torch.equal(said, told) and pipeline.embedded("all bright").text is None
    tokens = words.embedded("a")
    with pytest.raises(ValueError, match="tokens in place of text have 16 channels, got 3"):
        words.generate(condition=tokens._replace(tokens=torch.zeros(1, 1, 3)), progress=False)
    with pytest.raises(ValueError, match="text, and tokens in its place, are given"):
        words.generate(condition=tokens._replace(text=Condition.written("a").text), progress=False)


def test_the_first_stage_moves_the_embedding_alone(words):
    network = words.restorer.network
    told = Told(network, words.embedded("all dark"))
    assert [name for name, _ in told.named_parameters()] == ["learned.tokens"]
    x, t = torch.randn(2, 3, 16, 16, generator=seeded(0)), torch.tensor([0.3, 0.7])
    with torch.no_grad():
        torch.testing.assert_close(told(x, t), network(x, t, words.conditions(range(2), "all dark")))
    told(x, t).sum().backward()
    assert float(told.learned["tokens"].grad.abs().max()) > 0
    assert all(p.grad is None for p in network.parameters())


def test_each_stage_restores_the_picture_better(words, picture, learned):
    """The mean error of x0 over noises that no stage was trained with."""

    def error(restore) -> float:
        t, generators = torch.full((32,), 0.7), seeds(100, 32)
        x0 = picture.expand(32, -1, -1, -1)
        with torch.no_grad():
            return float((restore(words.degradation(x0, t, words.degradation.draw(x0, generators)), t) - x0).square().mean())

    def told(pipeline, condition):
        return pipeline.restorer.given(condition.map(lambda z: z.expand(32, *z.shape[1:])))

    words_alone, embedding, tuned = (
        error(told(*pair))
        for pair in ((words, learned.target), (words, learned.optimised), (learned.pipeline, learned.optimised))
    )
    assert tuned < 0.5 * embedding < 0.45 * words_alone
    for folder in (learned.pipeline.folder / EMBEDDING, learned.pipeline.folder):
        losses = [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert sum(losses[-5:]) < sum(losses[:5])


def test_nothing_else_changes(words, learned, tmp_path):
    before = dict(open_run(words.folder, "cpu").restorer.network.named_parameters())
    after = dict(learned.pipeline.restorer.network.named_parameters())
    assert all(torch.equal(p, before[name]) for name, p in words.restorer.network.named_parameters())
    encoder = [name for name in before if ".embedding.text." in name]
    assert encoder and all(torch.equal(after[name], before[name]) for name in encoder)  # it is not asked in the second stage
    assert not all(torch.equal(after[name], before[name]) for name in before)


def test_between_picture_and_words(picture, learned):
    target, optimised = learned.target.tokens, learned.optimised.tokens
    mixed = learned.condition(0.3)
    torch.testing.assert_close(mixed.tokens, 0.3 * target + 0.7 * optimised)
    assert torch.equal(learned.condition(0.0).tokens, optimised) and torch.equal(mixed.mask, learned.target.mask)
    walked = learned._replace(pipeline=learned.pipeline.using(steps=10))
    near, far = (float((walked.edited(eta, 4, progress=False) - picture).square().mean()) for eta in (0.0, 1.0))
    assert near < 0.7 * far


def test_it_opens_again(learned):
    again = open_imagic(learned.pipeline.folder, "cpu")
    assert again.caption == "all bright" and again.size == (16, 16)
    assert torch.equal(again.edited(0.4, 2, progress=False), learned.edited(0.4, 2, progress=False))
    assert again.pipeline.recipe.training.steps == again.pipeline.step == SHORT.tuning_steps


def test_a_published_model(published, tmp_path):
    """Its network is tuned, as a copy; what is left is an imported model with another network, which diffusers opens too."""
    from diffusers import StableDiffusionPipeline

    picture = torch.rand(3, *published.size[1:], generator=seeded(1)) * 2 - 1
    before = published.generate(condition="a cat", progress=False)
    found = imagic(published, picture, "a cat", tmp_path / "out", replace(suited(published), embedding_steps=3, tuning_steps=3))
    assert torch.equal(published.generate(condition="a cat", progress=False), before)
    assert not torch.equal(found.target.tokens, found.optimised.tokens)
    again = open_imagic(tmp_path / "out", "cpu")
    again = again._replace(pipeline=again.pipeline.using(steps=2))
    torch.testing.assert_close(again.edited(0.7, progress=False), found.edited(0.7, progress=False), rtol=0, atol=1e-3)
    theirs = StableDiffusionPipeline.from_pretrained(tmp_path / "out", safety_checker=None, low_cpu_mem_usage=False).unet
    x, t = torch.randn(1, 4, 16, 16, generator=seeded(2)), torch.tensor([0.482])
    ours, old = found.pipeline.restorer.network, published.restorer.network
    with torch.no_grad():
        expected = theirs(x, 481, found.target.tokens).sample
        torch.testing.assert_close(ours(x, t, found.target), expected)
        assert float((ours(x, t, found.target) - old(x, t, found.target)).abs().max()) > 1e-5


def test_a_copy_of_a_published_network_learns(published):
    network, told = trainable(published.restorer.network), published.embedded("a cat")
    x, t = torch.randn(1, 4, 16, 16, generator=seeded(2)), torch.tensor([0.482])
    with torch.no_grad():
        torch.testing.assert_close(network(x, t, told), published.restorer.network(x, t, told))
    network(x, t, told).sum().backward()
    assert any(p.grad is not None and float(p.grad.abs().max()) > 0 for p in network.parameters())
    assert not any(p.requires_grad for p in published.restorer.network.load().parameters())
    assert not any(p.requires_grad for p in used(network).load().parameters())


def test_the_command(words, picture, tmp_path, capsys):
    save_image(picture, tmp_path / "red.png")
    stages = ["--embedding-steps", "2", "--tuning-steps", "2", "--etas", "0", ".5", "--count", "2", "--device", "cpu"]
    out = ["--out", str(tmp_path / "out")]
    recipe.main(["edit", str(words.folder), str(tmp_path / "red.png"), "--prompt", "all bright", *stages, *out])
    names = {path.name for path in (tmp_path / "out" / "samples").iterdir()}
    assert names == {"grid.png", *(f"eta-{eta}-seed-{seed}.png" for eta in ("0", "0.5") for seed in (0, 1))}
    recipe.main(["again", str(tmp_path / "out"), "--etas", ".7", "--device", "cpu"])
    first = load_image(tmp_path / "out/samples-2/eta-0.7-seed-0.png")
    walk = ["--sampler", "ddpm", "--steps", "3"]
    recipe.main(["again", str(tmp_path / "out"), "--etas", ".7", *walk, "--out", str(tmp_path / "other"), "--device", "cpu"])
    assert not torch.equal(load_image(tmp_path / "other/eta-0.7-seed-0.png"), first)
    assert "4 images in" in (said := capsys.readouterr().out) and "in the order of --etas" in said


def test_bad_input(words, published, picture, learned, tmp_path):
    for caption in ("", "  "):
        with pytest.raises(ValueError, match="imagic needs words"):
            imagic(words, picture, caption, tmp_path / "a")
    with pytest.raises(ValueError, match="at most 256 bytes"):
        imagic(words, picture, "a" * 10_000, tmp_path / "a")
    with pytest.raises(ValueError, match="makes images of 3 channels, these have 1"):
        imagic(words, picture[:1], "a", tmp_path / "a")
    with pytest.raises(ValueError, match=r"one picture \(C, H, W\)"):
        imagic(words, picture[None], "a", tmp_path / "a")
    with pytest.raises(ValueError, match="was not trained with words"):
        imagic(replace(words, words=None), picture, "a", tmp_path / "a")
    with pytest.raises(ValueError, match="holds a run already"):
        imagic(words, picture, "a", learned.pipeline.folder)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="holds no picture that imagic learned"):
        open_imagic(words.folder, "cpu")
    with pytest.raises(ValueError, match="tuning_rate"):
        ImagicSettings(tuning_rate=float("nan"))


@pytest.mark.parametrize("damage", ["nan", "shape", "missing", "cut"])
def test_a_broken_file(damage, learned):
    path = learned.pipeline.folder / FILE
    sound = path.read_bytes()
    tensors = load_file(path)
    if damage == "nan":
        tensors["target.tokens"][0, 0, 0] = float("nan")
    elif damage == "shape":
        tensors["optimised.tokens"] = tensors["optimised.tokens"][..., :3].contiguous()
    elif damage == "missing":
        del tensors["target.tokens"]
    try:
        save_file(tensors, path, {"caption": "all bright", "size": "16x16"})
        if damage == "cut":
            path.write_bytes(sound[:-10])
        with pytest.raises(ValueError, match="broken") as error:
            open_imagic(learned.pipeline.folder, "cpu")
        assert len(str(error.value).splitlines()) == 1
    finally:
        path.write_bytes(sound)


def test_what_cannot_be_trained():
    with pytest.raises(ValueError, match="a function cannot be trained: expected a network of torch"):
        trainable(lambda x, t: x)
