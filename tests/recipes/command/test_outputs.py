"""Where nothing can be written, a command says so in one line: before the work, and without leaving anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from degrade import GaussianBlur
from recipes import degrading, edit, instant, solve
from recipes.command import cli, outputs, training
from recipes.command.panorama import Panorama
from restore.data.bands import write_bands
from restore.data.images import image_text, save_animation, save_image
from restore.machine.terminal import counted
from restore.training.session import train
from tests.tiny import tiny

FOLDER, MANY = "is a file: --out names a folder here", "names one picture, and there will be .: --out names a folder for them"
WORK = ("restore.pipelines.base.Base.walk", "recipes.command.panorama.panorama")


@pytest.fixture
def commands(photo, tmp_path, monkeypatch):
    """Each command that writes, with `--out` as it is given; those that would begin to work fail."""

    def begun(*args, **kwargs):
        raise AssertionError("the work was begun")

    train(tiny(photo), tmp_path / "run")
    for name in WORK:
        monkeypatch.setattr(name, begun)
    monkeypatch.setattr(GaussianBlur, "__call__", begun)
    run, picture = tmp_path / "run", tmp_path / "photo.png"
    folders = [
        lambda out: cli.Sample(run, out=out)(),
        lambda out: training.train(tiny(photo), out),
        lambda out: edit.Outpaint(photo, out=out)(),
        lambda out: edit.Variations(run, out=out)(),
        lambda out: instant.Instant(photo, out=out)(),
    ]
    files = [
        lambda out: cli.DegradeAndRestore(run, out=out)(),
        lambda out: degrading.Degrading(picture, out=out)(),
        lambda out: Panorama(photo, out=out)(),
    ]
    return folders, files


def test_a_file_or_a_folder_is_in_the_way(commands, photo, tmp_path):
    folders, files = commands
    (tmp_path / "folder.png").mkdir()
    for command, words in zip(folders, (MANY, FOLDER, "is what is read", MANY, MANY), strict=True):
        with pytest.raises(ValueError, match=rf"photo.png {words}"):
            command(photo)
        with pytest.raises(ValueError, match=r"photo.png.below cannot be written to \(Not a directory\): name another"):
            command(photo / "below")
    for command in files:
        with pytest.raises(ValueError, match=r"folder.png is a folder: --out names a file here"):
            command(tmp_path / "folder.png")
        with pytest.raises(ValueError, match=r"photo.png cannot be written to|photo.png is a file"):
            command(photo / "x.png")
        with pytest.raises(ValueError, match=r"cannot be written to \(File name too long\)"):
            command(tmp_path / ("long" * 100) / "x.png")
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "folder.png", "run"}


def test_a_folder_that_refuses(commands, tmp_path, monkeypatch):
    """As on a disk that is read-only, whoever asks."""

    def refuse(dir):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(outputs, "TemporaryFile", refuse)
    for name, several in zip(("x", "x.png"), commands, strict=True):
        for command in several:
            with pytest.raises(ValueError, match=r"cannot be written to \(Permission denied\): name another folder with --out"):
                command(tmp_path / "new" / name)


@pytest.mark.parametrize("name", ["x", "x.txt", "x.gif"])
def test_an_ending_that_names_no_format(name, commands, tmp_path):
    restore, strip, panorama = commands[1]
    for command, message in ((restore, "images are written as .png, .jpg"), (panorama, "written as .png, .tif")):
        with pytest.raises(ValueError, match=message):
            command(Path(name))
    if name != "x.gif":
        with pytest.raises(ValueError, match=r"degradations are written to a .png \(strip\) or a .gif"):
            strip(Path(name))


def test_what_is_read_is_not_written_over(photo):
    before = photo.read_bytes()
    for main, args in ((degrading.main, [str(photo)]), (edit.main, ["panorama", str(photo), "--size", "64x100"])):
        with pytest.raises(ValueError, match="is what is read: --out names another file"):
            main([*args, "--out", str(photo)])
    assert photo.read_bytes() == before


def test_one_picture_is_the_file_that_is_named(photo, tmp_path, capsys):
    train(tiny(photo), tmp_path / "run")
    capsys.readouterr()
    cli.Sample(tmp_path / "run", count=1, out=tmp_path / "one.jpg")()
    assert capsys.readouterr().out.splitlines()[-1] == f"1 image in {tmp_path / 'one.jpg'}"
    edit.Outpaint(photo, size=(50, 60), steps=1, out=tmp_path / "new" / "two.png")()
    assert f"1 image in {tmp_path / 'new/two.png'}; two-grid.png shows it" in capsys.readouterr().out
    for name, size in (("one.jpg", (56, 40)), ("new/two.png", (60, 50))):
        with Image.open(tmp_path / name) as file:
            assert file.size == size and "thaw" in image_text(tmp_path / name)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"two.png", "two-grid.png"}
    for out, words in (("x.png", MANY), ("x.gif", MANY)):
        with pytest.raises(ValueError, match=words):
            cli.Sample(tmp_path / "run", count=2, out=tmp_path / out)()
    with pytest.raises(ValueError, match="x.gif: images are written as .png"):
        cli.Sample(tmp_path / "run", count=1, out=tmp_path / "x.gif")()
    with pytest.raises(ValueError, match="x.png is the name of a picture: --out names a folder here"):
        training.train(tiny(photo), tmp_path / "x.png")
    assert not [*tmp_path.glob("x*")]


OWN = {
    "sample": lambda run, photo, out: cli.Sample(run, count=1, out=out),
    "instant": lambda run, photo, out: instant.Instant(photo, size=(32, 32), count=1, steps=1, judge=False, out=out),
    "edit": lambda run, photo, out: edit.Variations(photo, severities=(0.3,), steps=1, out=out),
    "solve": lambda run, photo, out: solve.Solve(
        photo, prior=photo, degradation=GaussianBlur(), severity=(0.1,), count=1, steps=1, out=out
    ),
    "restore": lambda run, photo, out: cli.Restore(run, photo, severities=(0.3,), out=out),
    "degrade-and-restore": lambda run, photo, out: cli.DegradeAndRestore(run, out=out / "x.tif"),
    "degrading": lambda run, photo, out: degrading.Degrading(photo, frames=2, out=out / "x.gif"),
    "film": lambda run, photo, out: instant.Instant(photo, (32, 32), 1, steps=1, judge=False, out=out, film=out / "x.webp"),
    "panorama": lambda run, photo, out: Panorama(photo, (40, 40), steps=1, out=out / "x.png"),
}


@pytest.mark.parametrize("name", OWN)
def test_what_a_user_put_there_is_not_replaced(name, photo, tmp_path):
    """Of the files that a command wrote each is replaced by the next time, and none that is another's."""
    run, out = tmp_path / "run", tmp_path / "out"
    train(tiny(photo), run)
    OWN[name](run, photo, out)()
    made = sorted(out.rglob("*.*"))
    assert made
    OWN[name](run, photo, out)()
    assert sorted(out.rglob("*.*")) == made
    for path in made:
        kept = path.read_bytes()
        Image.new("RGB", (4, 4)).save(path)
        own = path.read_bytes()
        with pytest.raises(ValueError, match=f"{path.name} is there, and does not say that this project made it: move it away"):
            OWN[name](run, photo, out)()
        assert path.read_bytes() == own
        path.write_bytes(kept)


def test_what_a_result_is(tmp_path):
    """Of any format that is written, however many pixels it has."""
    x = torch.zeros(3, 4, 4)
    for name in ("x.png", "x.jpg", "x.webp", "x.tif"):
        assert not outputs.is_result(save_image(x, tmp_path / name))
        assert outputs.is_result(save_image(x, tmp_path / name, {"thaw": "1", "command": "h\u00e9" * 200}))
    for name in ("y.gif", "y.webp"):
        assert not outputs.is_result(save_animation([x, -x], tmp_path / name))
        assert outputs.is_result(save_animation([x, -x], tmp_path / name, text={"thaw": "1", "command": "x" * 300}))
    large = write_bands(tmp_path / "z.png", (1, 20_000, 20_000), [torch.zeros(1, 9, 20_000)], {"thaw": "1"})  # cut off
    assert outputs.is_result(large) and outputs.is_result(large.with_suffix(".md"))
    (tmp_path / "w.png").write_bytes(large.read_bytes()[:40])
    assert not outputs.is_result(tmp_path / "w.png") and not outputs.is_result(tmp_path / "w.txt")


def test_names(photo):
    assert outputs.plain_stem(Path("a/photo.jpg.png")) == "photo" and outputs.plain_stem(Path("v1.2.png")) == "v1.2"
    assert [counted(0), counted(1), counted(2, "pair")] == ["0 images", "1 image", "2 pairs"]
