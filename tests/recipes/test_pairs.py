"""Pairs of pictures: read together, cut together, learned from, and a picture restored that is degraded already."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image

from degrade import Bridge, GaussianBlur, ImageMixing
from recipes import pairs
from recipes.command.restoring import Restore
from restore import Folder, ImageError, Levels, load_image, open_run, save_image
from restore.data.bundled import written
from restore.training.session import resume, train
from tests.tiny import short


@pytest.fixture
def folders(tmp_path):
    """Clean pictures, and what a JPEG of quality 5 makes of them."""
    for i in range(5):
        x = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(i)) * 2 - 1
        smooth = torch.nn.functional.interpolate(x[None], (40, 48), mode="bicubic")[0].clamp(-1, 1)
        clean = save_image(smooth, tmp_path / f"clean/a/{i}.png")
        (tmp_path / "degraded/a").mkdir(parents=True, exist_ok=True)
        Image.open(clean).save(tmp_path / f"degraded/a/{i}.jpg", quality=5)
    return tmp_path / "clean", tmp_path / "degraded"


def recipe(folders, degradation=None, **changes):
    chosen = short(pairs.recipe(folders[0], "fast", degradation))
    return replace(chosen, data=Folder(16, 40, flip=True), paired=folders[1], **changes)


def test_pairs_are_cut_at_the_same_place(folders):
    """Mirrored together too: what is paired differs by the JPEG alone."""
    batches = Folder(16, 40, flip=True).open(folders[0], "cpu", folders[1])
    batch = batches.draw(12, torch.Generator().manual_seed(0))
    (y,) = batch.x1
    assert y.shape == batch.x0.shape and 0 < float((y - batch.x0).abs().mean()) < 0.25
    assert float((y.roll(1, 0) - batch.x0).abs().mean()) > 0.3
    assert batches.paired.shape == batches.images.shape and not torch.equal(batches.paired, batches.images)
    at = batches.at(0, 3, 4, slice(None), 1, "cpu")
    assert len(at.x1) == 1 and float((at.x1[0] - at.x0).abs().mean()) < 0.25


def test_a_degraded_picture_of_another_size_is_brought_to_the_clean_ones(folders, tmp_path):
    for file in sorted((folders[1] / "a").iterdir()):
        with Image.open(file) as picture:
            picture.resize((24, 20)).save(tmp_path / "x.png")
        file.unlink()
        (tmp_path / "x.png").rename(file.with_suffix(".png"))
    (y,) = Folder(16, 40).open(folders[0], "cpu", folders[1]).draw(3, torch.Generator().manual_seed(0)).x1
    assert y.shape == (3, 3, 16, 16)


@pytest.mark.parametrize("degradation", [None, Bridge()], ids=["InDI", "I2SB"])
def test_what_pairs_show_is_learned_and_undone(degradation, folders, tmp_path, capsys):
    """From the command line at its default severity, the folder's file as it is; a resumed run is the same."""
    run = train(recipe(folders, degradation), tmp_path / "run")
    assert isinstance(run.degradation, Bridge if degradation else ImageMixing)
    file = folders[1] / "a" / "1.jpg"
    Restore(tmp_path / "run", file, out=tmp_path / "out", device="cpu")()
    assert (tmp_path / "out" / "severity-1.png").is_file() and "from severity 1:" in capsys.readouterr().out
    restored = [open_run(tmp_path / "run", "cpu").restore(run.read(file), 1.0, seed=s, progress=False) for s in (0, 1)]
    assert torch.equal(*restored) == (degradation is None)
    partial = train(recipe(folders, degradation, training=replace(recipe(folders).training, steps=1)), tmp_path / "half")
    gone_on = resume(partial.folder, "cpu", steps=2)
    weights = [list(each.restorer.network.parameters()) for each in (run, gone_on)]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_regression_is_one_severity(folders, tmp_path):
    chosen = recipe(folders)
    run = train(replace(chosen, training=replace(chosen.training, times=Levels(1))), tmp_path / "run")
    y = load_image(folders[1] / "a" / "1.jpg")
    torch.testing.assert_close(run.using(steps=1).restore(y, 1.0, progress=False), run.direct(y, 1.0), rtol=0, atol=1e-6)


def test_the_bundled_pairs(tmp_path, monkeypatch):
    """Names and sizes match; a JPEG is near what it was made of, a halftone is black and white in each channel, and as bright
    on the whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restore.data.bundled.PHOTOGRAPHS", {"train": (("sklearn", "datasets/images/flower.jpg"),)})
    clean, degraded = written("photographs"), written("jpeg")
    names = sorted(p.relative_to(clean) for p in clean.rglob("*.png"))
    assert names == sorted(p.relative_to(degraded) for p in degraded.rglob("*.png")) and names
    difference = (load_image(clean / names[0]) - load_image(degraded / names[0])).abs().mean()
    assert 0.005 < float(difference) < 0.1
    halftone = load_image(written("halftone") / names[0])
    assert set(halftone.unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(halftone.mean((1, 2)), load_image(clean / names[0]).mean((1, 2)), rtol=0, atol=0.02)


def test_pairs_that_are_none(folders, tmp_path):
    clean, degraded = folders
    with pytest.raises(ValueError, match="pairs are two folders: --paired"):
        train(replace(recipe(folders), paired=None), tmp_path / "run")
    with pytest.raises(ValueError, match="this is GaussianBlur"):
        recipe(folders, GaussianBlur())
    Image.new("RGB", (90, 40)).save(degraded / "a" / "2.jpg")
    with pytest.raises(ImageError, match="another shape, so they are no pair"):
        train(recipe(folders), tmp_path / "run")
    (degraded / "a" / "2.jpg").unlink()
    with pytest.raises(ImageError, match="has no picture a/2 to go with"):
        train(recipe(folders), tmp_path / "run")
    (degraded / "a" / "2.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"2\.jpg"):
        train(recipe(folders), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="without a second set"):
        replace(recipe(folders), others=clean)
