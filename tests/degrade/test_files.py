"""Files that appear whole or not at all, whatever lies where they are to go."""

from __future__ import annotations

import os
import stat

import pytest

from degrade.files import HOUR, LinkError, atomic_write, beside, discard, own, subfolder, sweep


@pytest.fixture
def decoy(tmp_path):
    """A file of the user's, outside of the folder that is written to."""
    path = tmp_path / "decoy"
    path.write_text("precious")
    (tmp_path / "home").mkdir()
    return path


def plant(kind: str, path, decoy) -> None:
    {
        "link": lambda: path.symlink_to(decoy),
        "dangling": lambda: path.symlink_to(decoy.with_name("new")),
        "hard link": lambda: os.link(decoy, path),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()


def unharmed(decoy) -> bool:
    return decoy.read_text() == "precious" and not decoy.with_name("new").exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "pipe"])
@pytest.mark.parametrize("name", ["x.png", ".x.png.part", ".x.part"])
def test_what_lies_there_is_replaced(kind, name, decoy):
    """Under the name itself, and under those that could be guessed."""
    home = decoy.with_name("home")
    plant(kind, home / name, decoy)
    with atomic_write(home / "x.png") as part:
        part.write_text("new")
    assert (home / "x.png").read_text() == "new" and not (home / "x.png").is_symlink()
    assert unharmed(decoy)
    assert {path.name for path in home.iterdir()} == {"x.png", name}


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path / "x") as part:
        part.write_text(tmp_path.read_text())
    with pytest.raises(LinkError, match="is a folder where a file is to be written"), atomic_write(tmp_path):
        pass
    assert (tmp_path / "x").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_follow_the_umask(mask, tmp_path):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "x") as part:
            part.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o666 & ~mask


def test_what_crashes_left_is_swept_once_it_is_old(decoy):
    home = decoy.with_name("home")
    old, young, other = beside(home / "x.png"), beside(home / "x.png"), home / ".x.png.part"
    for path in (old, young, other):
        path.write_text("half")
    tree, link = beside(home / "set"), beside(home / "y")
    tree.mkdir()
    (tree / "in").symlink_to(decoy)
    link.symlink_to(decoy)
    past = young.stat().st_mtime - 2 * HOUR
    for path in (old, other, tree, link):
        os.utime(path, (past, past), follow_symlinks=False)
    sweep.cache_clear()
    with atomic_write(home / "x.png") as part:
        part.write_text("new")
    assert {path.name for path in home.iterdir()} == {"x.png", young.name, other.name}
    assert unharmed(decoy)


def test_no_folder_of_a_run_is_a_link(decoy):
    home = decoy.with_name("home")
    assert subfolder(home, "samples") == home / "samples"
    for kind in ("link", "dangling", "pipe", "hard link"):
        plant(kind, home / "samples", decoy)
        with pytest.raises(LinkError, match=r"home/samples is a link, or no folder, .*: remove it"):
            subfolder(home, "samples")
        discard(home / "samples")


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_nothing_of_another_is_written_in_place(kind, decoy):
    path = decoy.with_name("home") / "state"
    plant(kind, path, decoy)
    with pytest.raises(LinkError, match="state is a link, or no ordinary file"):
        own(path)
    with own(path, new=True) as file:
        file.write(b"new")
    with own(path) as file:
        assert file.read() == b"new"
    assert unharmed(decoy)


def test_discarded(decoy):
    """A link alone, a folder with all that is in it, nothing where nothing is."""
    home = decoy.with_name("home")
    (home / "in").symlink_to(decoy.parent)
    link = decoy.with_name("link")
    link.symlink_to(home)
    for path in (link, home, home):
        discard(path)
    assert [path.name for path in decoy.parent.iterdir()] == ["decoy"] and unharmed(decoy)
