"""Where nothing can be written, a command says so in one line: before the work, and without leaving anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from degrade import GaussianBlur
from recipes import degrading, edit, instant
from recipes.command import cli, outputs, training
from recipes.command.panorama import Panorama
from restore.training.session import train
from tests.tiny import tiny

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
    for command in folders:
        with pytest.raises(ValueError, match=r"photo.png is a file: --out names a folder here"):
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
    for command in (*commands[0], *commands[1]):
        with pytest.raises(ValueError, match=r"cannot be written to \(Permission denied\): name another folder with --out"):
            command(tmp_path / "new" / "x.png")


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
