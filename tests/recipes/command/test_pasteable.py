"""What a program prints as the next command is one: a shell and the program's own parser take it."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recipes import sindiffusion
from recipes.command import cli, training
from recipes.command.next_steps import say_what_next
from recipes.command.panorama import Panorama
from recipes.command.pasteable import again, pasteable
from restore.training.session import train
from tests import own_types
from tests.options import FILES, program
from tests.tiny import tiny


@pytest.fixture
def called(monkeypatch):
    """As `.venv/bin/python recipes/sindiffusion.py`, called from the folder of the project."""
    monkeypatch.setattr(sys, "argv", ["recipes/sindiffusion.py", "train", "it's a photo.png"])
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", *sys.argv])


def test_quoted(called):
    assert pasteable("resume", Path("runs/my photo")) == ".venv/bin/python recipes/sindiffusion.py resume 'runs/my photo'"
    assert pasteable("generation", "ü", recipe="evaluate.py") == ".venv/bin/python recipes/evaluate.py generation 'ü'"


def test_the_same_command(called, monkeypatch):
    """Also of the program that is installed, and with the user's own types, once."""
    assert again() == ".venv/bin/python recipes/sindiffusion.py train 'it'\"'\"'s a photo.png'"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/thaw", "edit", "panorama", "my photo.png", "--types", "own.py"])
    assert again() == "thaw edit panorama 'my photo.png' --types own.py"


def printed(text: str) -> list[list[str]]:
    """The commands among what was printed, without the interpreter."""
    return [shlex.split(command) for command in re.findall(r"\.venv/bin/python (.*)", text)]


def parsed(command: list[str]) -> object:
    by_name = {f"recipes/{file.name}": file for file in FILES}
    return program(by_name[command[0]]).parsed(command[1:])


@pytest.mark.parametrize("show", ["samples", "restorations"])
def test_after_a_training(show, called, photo, tmp_path, capsys):
    """Before it begins, when it is stopped, and in the end."""
    picture = photo.rename(photo.with_name("it's a photo.png"))
    recipe = tiny(picture)
    training.train(replace(recipe, show=show), tmp_path / "a run")
    resumed, *rest = map(parsed, printed(capsys.readouterr().out))
    assert isinstance(resumed, cli.Resume) and resumed.run == tmp_path / "a run"
    expected = [cli.Sample] if show == "samples" else [cli.Restore, cli.DegradeAndRestore]
    assert [type(command) for command in rest] == expected
    for command in rest:
        (replace(command, image=picture) if isinstance(command, cli.Restore) else command)()


def test_an_interrupted_panorama(photo, tmp_path, capsys, monkeypatch):
    """The same command, word for word."""
    words = ["panorama", str(photo), "--size", "64x90", "--out", str(tmp_path / "a picture.png")]
    monkeypatch.setattr(sys, "argv", ["recipes/edit.py", *words])
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", *sys.argv])
    monkeypatch.setattr(Panorama, "_walked", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        parsed(sys.argv)()
    assert printed(capsys.readouterr().out) == [sys.argv]


def test_after_an_interruption_and_of_a_set(called, photo, tmp_path, capsys, monkeypatch):
    """`resume`, and a table for a run on images that a test set belongs to: all with the user's own types."""
    types = Path(own_types.__file__)
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--types", str(types)])
    run = train(replace(tiny(photo), show="restorations"), tmp_path / "a run")
    monkeypatch.setattr("restore.data.bundled.test_images", lambda images: photo)
    say_what_next(replace(run, step=1))
    say_what_next(run)
    resumed, yours, again, table = map(parsed, printed(capsys.readouterr().out))
    assert resumed == cli.Resume(run.folder, types=types)
    assert yours == cli.Restore(run.folder, Path("yours.jpg"), types=types)
    assert again == cli.DegradeAndRestore(run.folder, severity=1.0, types=types)
    assert (table.source, table.types) == (run.folder, types)


def test_a_recipe_that_is_refused_does_not_say_that_it_trains(called, tmp_path, capsys):
    with pytest.raises(ValueError, match="does not exist"):
        training.train(sindiffusion.recipe(tmp_path / "none.jpg"), tmp_path / "run")
    assert capsys.readouterr().out == ""
