"""simple diffusion: classes from folders to samples, stems, the paper's preset."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from degrade import GaussianNoise, ShiftedCosine, seeded
from models import Condition, DiTConfig, PatchStem, PatchUNetConfig, UNetConfig, WaveletStem
from models.stems import Wavelets
from recipes import evaluate, simple_diffusion, sindiffusion
from recipes.command import cli, training
from restore import Crops, Folder, save_image
from restore.data import bundled
from restore.evaluation import features
from restore.recipe import Recipe
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError
from restore.training.session import resume, train

NETWORK = UNetConfig(3, (8, 16), (1, 1), (0.0, 0.1), (), transformer=1, head=8, groups=4)
MAIN = cli.commands(simple_diffusion.recipe, "simple_diffusion.py", None, lambda: "digits")


@pytest.fixture
def folder(tmp_path):
    """Twelve images in three folders, told apart by their brightness."""
    for i, name in enumerate(("bright", "dark", "middling")):
        for number in range(4):
            level = {"bright": 0.8, "dark": -0.8, "middling": 0.0}[name]
            save_image(torch.full((3, 16, 16), level + 0.01 * number), tmp_path / f"images/{name}/{i}{number}.png")
    return tmp_path / "images"


def tiny(folder, **changes) -> Recipe:
    recipe = simple_diffusion.recipe(folder)
    training = replace(recipe.training, steps=4, batch=6, warmup=1, log_every=1, save_every=2, preview_every=4)
    sampling = replace(recipe.sampling, steps=3, guidance=2.0)
    data = Folder(16, labelled=True)
    changes = {"stem": None, **changes}
    return replace(recipe, data=data, network=NETWORK, training=training, sampling=sampling, **changes)


def test_labels_are_those_of_the_images(folder):
    """For any part of the batch, and where a file is broken: the next one stands in for it, with its own class."""
    (folder / "dark/10.png").write_bytes(b"broken")
    batches = Folder(16, labelled=True).open(folder)
    assert batches.classes == ("bright", "dark", "middling")
    for shard in (slice(None), slice(5, 40)):
        batch = batches.draw(64, seeded(3), shard)
        levels = torch.tensor([0.8, -0.8, 0.0])[batch.condition.label]
        assert float((batch.x0.mean((1, 2, 3)) - levels).abs().max()) < 0.1
    assert len(batches.skipped) == 1


def test_train_sample_resume(folder, tmp_path, capsys):
    run = train(tiny(folder), tmp_path / "run")
    assert run.classes == ("bright", "dark", "middling") and run.recipe.network.classes == 3
    dark = run.generate(count=2, condition="dark", progress=False)
    in_turn = run.generate(count=3, progress=False)
    torch.testing.assert_close(dark[1], in_turn[1], rtol=0, atol=1e-5)  # seed 1 is of class 1, whatever the batch
    assert not torch.equal(dark[0], in_turn[0])
    none = run.generate(count=1, condition="", progress=False)[0]
    assert torch.equal(none, run.using(guidance=0.0).generate(count=1, condition="bright", progress=False)[0])
    assert not torch.equal(dark, run.using(guidance=5.0).generate(count=2, condition="dark", progress=False))
    with pytest.raises(ValueError, match=r"no class 'purple': .*run knows bright; dark; middling"):
        run.generate(condition="purple")
    again = open_run(tmp_path / "run")
    assert again.classes == run.classes and torch.equal(again.generate(count=2, condition="dark", progress=False), dark)
    assert resume(tmp_path / "run").step == 4
    MAIN(["sample", str(tmp_path / "run"), "--label", "middling", "--guidance", "3", "--count", "2"])
    assert "2 images in" in capsys.readouterr().out


def test_a_run_without_classes_says_so(folder, tmp_path):
    run = train(replace(tiny(folder), data=Folder(16)), tmp_path / "run")
    assert run.classes == () and run.generate(count=1, progress=False).shape == (1, 3, 16, 16)
    with pytest.raises(ValueError, match="was not trained with classes"):
        run.generate(condition="dark")


@pytest.mark.parametrize("stem", [WaveletStem(), PatchStem(2)], ids=str)
def test_a_stem_in_a_recipe(stem, folder, tmp_path):
    run = train(tiny(folder, stem=stem), tmp_path / "run")
    restore = run.restorer.given(Condition(label=torch.tensor([1])))
    assert restore(torch.zeros(1, 3, 16, 16), torch.ones(1)).shape == (1, 3, 16, 16)
    assert isinstance(run.restorer.network, Wavelets) == isinstance(stem, WaveletStem)
    assert open_run(tmp_path / "run").recipe.stem == stem


@pytest.mark.parametrize("stem", [None, WaveletStem(2), PatchStem(3)], ids=str)
def test_images_are_made_without_padding(stem, folder, tmp_path):
    """What the network sees within its stem is a multiple of its own stride, whatever size is asked for."""
    network = replace(NETWORK, widths=(8, 8, 16), depths=(1, 1, 1), dropout=(0.0, 0.0, 0.0), classes=3)
    recipe = replace(tiny(folder, stem=stem), network=network)
    assert recipe.stride == 4 * {None: 1, WaveletStem(2): 4, PatchStem(3): 3}[stem]
    run = train(recipe, tmp_path / "run")
    inner = run.restorer.network if stem is None else run.restorer.network.network
    seen = []
    inner.register_forward_hook(lambda module, args, result: seen.append(args[0].shape[-2:]))
    assert run.generate((24, 40), progress=False).shape == (1, 3, 24, 40)
    assert seen and all(side % network.stride == 0 for shape in seen for side in shape)


def test_crops_are_learned_without_padding(photo):
    """The photograph is 40 x 56, its crops no larger."""
    recipe = replace(sindiffusion.recipe(photo), data=Crops(size=56, crop=40), network=PatchUNetConfig(patch=1))
    for stem, sides in ((None, (40, 40)), (PatchStem(3), (36, 36)), (WaveletStem(2), (32, 32))):
        batches, _ = replace(recipe, stem=stem).open("cpu")
        assert batches.draw(1, seeded(0)).x0.shape[-2:] == sides


def test_what_does_not_go_together(folder, tmp_path):
    with pytest.raises(ValueError, match="PatchUNetConfig takes no classes: choose UNetConfig, DiTConfig"):
        train(replace(tiny(folder), network=PatchUNetConfig()), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="folders of 3 classes, the network takes 5"):
        train(replace(tiny(folder), network=replace(NETWORK, classes=5)), tmp_path / "run")
    run = train(tiny(folder), tmp_path / "run")
    path = tmp_path / "run/checkpoints" / f"step-{run.step:08d}" / "run.json"
    text = path.read_text()
    path.write_text(text.replace('"middling"\n', '"middling",\n    "more"\n'))
    sums = path.with_name("SHA256SUMS")
    import hashlib

    lines = [line for line in sums.read_text().splitlines() if "run.json" not in line]
    lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  run.json")
    sums.write_text("\n".join(lines) + "\n")
    with pytest.raises(CheckpointError, match="4 classes for a network that takes 3"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("images", ["folder", "digits", "photographs"])
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_presets(images, preset):
    recipe = simple_diffusion.recipe(images, preset)
    known = bundled.SETS.get(images)
    assert recipe.network.image_channels == recipe.data.channels == (known.channels if known else 3)
    assert recipe.data.labelled == (images == "digits")
    with torch.device("meta"):
        count = sum(p.numel() for p in recipe.build().parameters())
    assert count > (2.5e8 if preset == "paper" else 1e6)
    size, schedule = recipe.data.size, recipe.degradation.schedule
    assert schedule == ShiftedCosine(size, min(64, size), min(64, size))


def test_flags(folder, monkeypatch):
    """Networks, stems and schedules by name."""
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    MAIN(["train", str(folder), "--data.labelled", "--network.widths", "16", "32", "32", "32", "--network.groups", "8"])
    assert seen[0].data.labelled and seen[0].network.widths == (16, 32, 32, 32)
    changed = replace(seen[0], network=DiTConfig(), degradation=GaussianNoise(ShiftedCosine(64, 32, 32)))
    assert changed.build()


def test_evaluation_by_class(tmp_path, monkeypatch, capsys):
    """The digits, a few steps: a table and a grid."""
    monkeypatch.setattr(features, "of_classifier", partial(features.of_classifier, steps=20))
    monkeypatch.chdir(tmp_path)
    for i, (name, image) in enumerate(bundled.SETS["digits"].images()):
        if i % 60 < 5:
            save_image(image, tmp_path / "runs/data/digits" / f"{name}.png")
    recipe = simple_diffusion.recipe("digits")
    network = replace(NETWORK, image_channels=1)
    training = replace(recipe.training, steps=2, batch=4, save_every=2, preview_every=2)
    sampling = replace(recipe.sampling, steps=2)
    train(replace(recipe, network=network, training=training, sampling=sampling), "runs/digits")
    capsys.readouterr()
    evaluate.Classes(evaluate.Path("runs/digits"), images=12, guidance=(1.0, 2.0))()
    table = capsys.readouterr().out
    assert "| guidance | images | accuracy |" in table and "| 2 | 12 | " in table
    assert (tmp_path / "runs/digits/evaluation/classes.png").exists()
    other = replace(recipe, data=replace(recipe.data, labelled=False), network=network, training=training)
    train(replace(other, sampling=sampling), "runs/plain")
    with pytest.raises(ValueError, match="does not know classes"):
        evaluate.Classes(evaluate.Path("runs/plain"), images=12)()
