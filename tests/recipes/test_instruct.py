"""InstructPix2Pix: what is told, both scales of guidance, and the commands."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import UNetConfig
from recipes import instruct, text_to_image
from restore import ImageError, closed_form, load_image, open_run, save_image, train
from restore.autoencoder import TrainedAutoencoder
from restore.data.instructions import Instructions, read_edits
from restore.pipelines.instruct import instruct as instructed
from restore.pipelines.prompt_to_prompt import paired
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from tests.tiny import DECIDED

NETWORK = UNetConfig(3, (8, 16), (1, 1), (0, 0), (), transformer=1, groups=4, head=8, text=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Grey pictures, each with another one that it becomes."""
    home = tmp_path_factory.mktemp("instructions") / "pairs"
    for i, (name, level) in enumerate({"black": -0.8, "white": 0.8}.items()):
        save_image(torch.full((3, 16, 16), level / 4), home / f"before/{i}.png")
        save_image(torch.full((3, 16, 16), level), home / f"after/{i}.png")
        (home / f"after/{i}.txt").write_text(f"make it {name}", encoding="utf-8")
    return home


def tiny(recipe, network):
    training = replace(recipe.training, steps=4, batch=4, warmup=1, preview_every=4, **DECIDED)
    small = replace(recipe.data, size=16, reduce=0)
    return replace(recipe, data=small, network=network, training=training, sampling=replace(recipe.sampling, steps=3))


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("run") / "run"
    train(tiny(instruct.recipe(folder), replace(NETWORK, picture=3)), home, "cpu")
    return open_run(home, "cpu")


def test_each_picture_is_told_the_one_before_it(folder):
    draw = Instructions(16).open(folder).draw
    batch = draw(6, torch.Generator().manual_seed(1))
    torch.testing.assert_close(batch.condition.image, batch.x0 / 4, rtol=0, atol=0.01)
    said = ["".join(map(chr, line)).strip("\0") for line in batch.condition.text.tolist()]
    assert said == ["make it white" if level > 0 else "make it black" for level in batch.x0[:, 0, 0, 0].tolist()]
    assert batch.x1 == () and torch.equal(draw(6, torch.Generator().manual_seed(1), slice(2, 4)).x0, batch.x0[2:4])


def test_folders_that_are_none(tmp_path):
    with pytest.raises(ImageError, match="has no folder before: instructions are two folders"):
        Instructions(16).open(tmp_path)
    (tmp_path / "edits.csv").write_text("a cat,a dog\n", encoding="utf-8")
    with pytest.raises(ImageError, match=r"line 1 of .* is no edit: expected before,after,instruction"):
        read_edits(tmp_path / "edits.csv")
    (tmp_path / "edits.csv").write_text("a cat,a dog,a dog\n\na cat,a cat,the same\n", encoding="utf-8")
    with pytest.raises(ImageError, match="line 3 of .* changes nothing: both captions are 'a cat'"):
        read_edits(tmp_path / "edits.csv")


def test_grey_pictures_take_two_options(folder, tmp_path):
    recipe = tiny(instruct.recipe(folder), replace(NETWORK, picture=3))
    with pytest.raises(ValueError, match="have 1 channels, .* 3: --network.image-channels 1 --network.picture 1.$"):
        train(replace(recipe, data=replace(recipe.data, channels=1)), tmp_path / "run", "cpu")


def test_two_scales(run):
    """R_0 + s_I (R_I - R_0) + s_T (R_IT - R_I), of the network's own answers, within 1e-5."""
    picture, x = torch.rand(2, 3, 16, 16) * 2 - 1, torch.randn(2, 3, 16, 16)
    t = torch.full((2,), 0.6)
    asked = run.conditions(range(2), ["make it black", "make it white"])._replace(image=picture)
    nothing = run.conditions(range(2), "")
    guided = run.using(guidance=4.0, picture_guidance=1.7, clip=False).scale((16, 16), 1.0, range(2), asked).restore
    with torch.no_grad():
        of_none, of_picture, of_both = (
            run.restorer.given(one)(x, t) for one in (nothing, nothing._replace(image=picture), asked)
        )
        expected = of_none + 1.7 * (of_picture - of_none) + 4 * (of_both - of_picture)
        torch.testing.assert_close(guided(x, t), expected, rtol=0, atol=1e-5)
        negative = run.saying(negative="make it black").using(guidance=4.0, picture_guidance=1.7, clip=False)
        same = run.conditions(range(2), "make it black")._replace(image=picture)  # as what it is led away from
        base, both = (run.restorer.given(one)(x, t) for one in (same._replace(image=None), same))
        found = negative.scale((16, 16), 1.0, range(2), same).restore(x, t)
        torch.testing.assert_close(found, base + 1.7 * (both - base), rtol=0, atol=1e-5)
    assert min(float((a - b).abs().max()) for a, b in ((of_none, of_picture), (of_picture, of_both))) > 1e-4


def test_it_begins_with_a_network_that_is_told_no_picture(folder, tmp_path):
    """The picture changes nothing at first; another network's weights are refused."""
    base = train(tiny(text_to_image.recipe(folder / "after"), NETWORK), tmp_path / "base", "cpu")
    recipe = tiny(instruct.recipe(folder), replace(NETWORK, picture=3))
    trainer, x, t = recipe.trainer("cpu"), torch.randn(1, 3, 16, 16), torch.full((1,), 0.5)
    trainer.begin_with(open_checkpoint(base.folder))
    words = base.conditions(range(1), "make it black")
    with torch.no_grad():
        told = trainer.network(x, t, words._replace(image=torch.rand(1, 3, 16, 16)))
        torch.testing.assert_close(told, base.restorer.network(x, t, words), rtol=0, atol=1e-5)
    other = replace(recipe, network=replace(NETWORK, picture=3, widths=(12, 16))).trainer("cpu")
    with pytest.raises(CheckpointError, match="has another network than the one that is to begin with it"):
        other.begin_with(open_checkpoint(base.folder))


def test_commands(run, folder, tmp_path, capsys):
    """Trained and shown; a picture edited; pairs made of captions, which can be learned from."""
    assert (run.folder / "instructions.png").exists() and run.recipe.sampling.picture_guidance == 1.5
    words = ["edit", str(run.folder), str(folder / "before/0.png"), "--instruction", "make it white", "--count", "2"]
    instruct.main([*words, "--picture-guidance", "2", "--out", str(tmp_path / "out"), "--device", "cpu"])
    made = [load_image(tmp_path / f"out/0-seed-{seed}.png") for seed in (0, 1)]
    again = run.using(picture_guidance=2.0)
    before = load_image(folder / "before/0.png")[None].expand(2, -1, -1, -1)
    expected = instructed(again, before, "make it white", progress=False)
    torch.testing.assert_close(torch.stack(made), expected, rtol=0, atol=0.005)
    instruct.main(["sample", str(run.folder), "--prompt", "make it white", "--count", "1", "--out", str(tmp_path / "words")])
    assert "of words alone, without a picture" in capsys.readouterr().err
    base = train(tiny(text_to_image.recipe(folder / "after"), NETWORK), tmp_path / "base", "cpu")
    with pytest.raises(CheckpointError, match="is no run of an autoencoder: network is UNetConfig, expected AutoencoderConfig"):
        TrainedAutoencoder(base.folder).pinned(3)
    (tmp_path / "edits.csv").write_text("before,after,instruction\nmake it black,make it white,invert it\n", encoding="utf-8")
    out = tmp_path / "made"
    instruct.main(["pairs", str(base.folder), str(tmp_path / "edits.csv"), "--count", "2", "--out", str(out)])
    assert "2 pairs in" in capsys.readouterr().out
    with pytest.raises(ValueError, match="made holds other pairs, such as 00001.png: name a folder for these alone"):
        instruct.main(["pairs", str(base.folder), str(tmp_path / "edits.csv"), "--out", str(out)])
    assert Instructions(16).open(out).draw(2, torch.Generator()).condition.image.shape == (2, 3, 16, 16)
    with pytest.raises(ValueError, match=r"is not told words and a picture: take a run of instruct\.py"):
        instructed(base, before, "make it white")
    with pytest.raises(ValueError, match="both captions are 'a'"):
        paired(base, "a", "a")


def test_instructions_that_cannot_be_followed(run, photo):
    before = torch.zeros(2, 3, 16, 16)
    for pipeline, pictures, said, message in (
        (run, before, "  ", "the instruction is empty"),
        (run, before, ["a", "b", "c"], "3 instructions for 2 pictures"),
        (run, before[:, :1], "a", r"pictures are finite numbers \(B, 3, H, W\)"),
        (closed_form(photo, 32), before, "a", "follows no instructions"),
    ):
        with pytest.raises(ValueError, match=message):
            instructed(pipeline, pictures, said)
