"""The installed command: `thaw x ...` is `python recipes/x.py ...`."""

from __future__ import annotations

import configparser
import sys
from importlib import import_module
from pathlib import Path

import pytest

import _thaw
from recipes.command import main as entry
from recipes.command.pasteable import pasteable, program, word
from restore.training.session import train
from tests.tiny import tiny

ROOT = Path(__file__).resolve().parents[3]


def called(monkeypatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/thaw", *args])
    _thaw.main()


def test_every_recipe_is_listed(monkeypatch, capsys):
    called(monkeypatch)
    shown = capsys.readouterr().out
    runnable = [path for path in (ROOT / "recipes").glob("*.py") if "cli.run(main)" in path.read_text(encoding="utf-8")]
    assert len(runnable) == len(entry.recipes_by_name()) >= 15
    assert all(f"  {word(path)} " in shown for path in runnable)


@pytest.mark.parametrize("name", entry.recipes_by_name())
def test_a_recipe_answers_under_both_of_its_names(name, monkeypatch, capsys):
    for asked in {name, name.replace("-", "_")}:
        with pytest.raises(SystemExit) as end:
            called(monkeypatch, asked, "--help")
        assert not end.value.code
        assert f"usage: thaw {name}" in " ".join(capsys.readouterr().out.split())


def test_what_it_does_is_what_the_file_does(photo, tmp_path, monkeypatch, capsys):
    called(monkeypatch, "degrading", str(photo), "--out", str(tmp_path / "a.png"), "--frames", "2", "degradation:snow")
    import_module("recipes.degrading").main([str(photo), "--out", str(tmp_path / "b.png"), "--frames", "2", "degradation:snow"])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_unknown_recipe_is_one_line(monkeypatch):
    with pytest.raises(SystemExit, match=r"^error: 'nothing' is no recipe and no command; recipes are animorphosis,"):
        called(monkeypatch, "nothing")


def test_next_commands_are_those_of_the_program(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/thaw", "simple-diffusion", "train"])
    assert program("recipes/simple_diffusion.py") == "thaw simple-diffusion"
    assert pasteable("resume", "my run") == "thaw simple-diffusion resume 'my run'"
    assert pasteable("restoration", "run", recipe="evaluate.py") == "thaw evaluate restoration run"
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/thaw", "sindiffusion", "train", "--types", "my own.py"])
    assert pasteable("resume", "run") == "thaw sindiffusion resume run --types 'my own.py'"


def test_setup_installs_it():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    module, _, function = setup["options.entry_points"]["console_scripts"].strip().removeprefix("thaw = ").partition(":")
    assert getattr(import_module(module), function) is _thaw.main and module in setup["options"]["py_modules"].split()


def test_what_is_done_with_a_run_needs_no_recipe(photo, tmp_path, monkeypatch, capsys):
    """`thaw resume RUN`, and what is printed then."""
    train(tiny(photo), tmp_path / "run")
    called(monkeypatch, "resume", str(tmp_path / "run"))
    assert f"thaw sample {tmp_path / 'run'} --size" in capsys.readouterr().out
    called(monkeypatch, "sample", str(tmp_path / "run"), "--count", "1", "--size", "16x20")
    called(monkeypatch, "restore", str(tmp_path / "run"), str(photo), "--severities", "0.2", "0.5")
    called(monkeypatch, "restore", str(tmp_path / "run"), str(photo), "--severities", "0.4")
    assert (tmp_path / "run/restored/photo-2/severity-0.4.png").exists()  # what was made before stays
    folder = tmp_path / "run/restored/photo"
    with pytest.raises(SystemExit, match="strip.png is what is read: --out names another file"):
        called(monkeypatch, "restore", str(tmp_path / "run"), str(folder / "strip.png"), "--out", str(folder))
    assert {path.name for path in folder.iterdir()} == {"severity-0.2.png", "severity-0.5.png", "strip.png"}


def test_results_replace_no_input_and_stay_in_their_folder(photo, tmp_path, monkeypatch):
    train(tiny(photo), tmp_path / "run")
    out = tmp_path / "own.png"
    strip = photo.rename(tmp_path / "own-trajectory.png")
    args = ["--image", str(strip), "--out", str(out), "--trajectory", "--steps", "1"]
    with pytest.raises(SystemExit, match="own-trajectory.png is what is read"):
        called(monkeypatch, "degrade-and-restore", str(tmp_path / "run"), *args)
    dots = strip.rename(tmp_path / "...png")
    before = {path.name for path in (tmp_path / "run").iterdir()}
    called(monkeypatch, "restore", str(tmp_path / "run"), str(dots), "--severities", "0.3", "0.3000001", "--steps", "1")
    assert {path.name for path in (tmp_path / "run").iterdir()} == before | {"restored"}
    assert len(list((tmp_path / "run/restored/picture").glob("severity-*.png"))) == 2
