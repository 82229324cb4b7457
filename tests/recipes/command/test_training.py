"""What `train` and `resume` say: of a run that has ended, that Ctrl-C has ended, and of a folder that serves no run."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from recipes.command import training
from recipes.command.training import Resume, Train
from restore.own_types import kebab
from restore.recipe import Recipe
from restore.training import session
from restore.training.trainer import Trainer
from tests.tiny import tiny

ROOT = Path(__file__).resolve().parents[3]


def eight(photo: Path) -> Recipe:
    recipe = tiny(photo)
    return replace(recipe, training=replace(recipe.training, steps=8))


def test_a_run_that_has_ended_says_how_to_go_on(photo, tmp_path, capsys):
    session.train(tiny(photo), tmp_path / "run")
    capsys.readouterr()
    Resume(tmp_path / "run")()
    first, *_ = capsys.readouterr().out.splitlines()
    assert f"{tmp_path / 'run'} has ended, at step 4; this trains it on: " in first
    assert f"resume {tmp_path / 'run'} --steps 8, and so does " in first and first.endswith("--minutes 5")
    Resume(tmp_path / "run", steps=6)()
    said = capsys.readouterr().out
    assert "has ended" not in said and "results in" in said


@pytest.mark.parametrize(("saved", "said"), [(False, "nothing was saved"), (True, "step 4 is saved; go on with: ")])
def test_ctrl_c_says_what_is_saved(saved, said, photo, tmp_path, capsys, monkeypatch):
    """Before the first step, and twice in a row later on."""
    train_step = Trainer.train_step

    def pressed(trainer, *args):
        if trainer.step == 4 * saved:
            raise KeyboardInterrupt
        return train_step(trainer, *args)

    monkeypatch.setattr(Trainer, "train_step", pressed)
    with pytest.raises(KeyboardInterrupt):
        training.train(eight(photo), tmp_path / "run")
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)
    assert (tmp_path / "run").exists() == saved


def test_a_folder_without_a_name(photo):
    with pytest.raises(ValueError, match="out is empty, or the current folder: --out names a folder for the run"):
        Train(tiny(photo), "fast", out=Path(""))


def test_both_ways_to_say_how_long(photo, tmp_path):
    session.train(tiny(photo), tmp_path / "run")
    with pytest.raises(ValueError, match="both say how long"):
        Resume(tmp_path / "run", steps=8, minutes=1.0)()


def presets() -> list[tuple[str, str]]:
    """Every preset of every recipe's file."""
    files = [path.stem for path in (ROOT / "recipes").glob("*.py") if "cli.commands(" in path.read_text(encoding="utf-8")]
    makes = {name: importlib.import_module(f"recipes.{name}").recipe for name in sorted(files)}
    return [(name, preset) for name, make in makes.items() for preset in get_args(get_type_hints(make)["preset"])]


@pytest.mark.parametrize(("name", "preset"), presets())
def test_presets_are_those_of_python(name, preset, monkeypatch):
    """Whatever degradation the usual one has; also where that is named."""
    seen: list[Recipe] = []
    monkeypatch.setattr(training, "train", lambda recipe, *rest: seen.append(recipe))
    module = importlib.import_module(f"recipes.{name}")
    expected = module.recipe("images", preset)
    named = f"degradation:{kebab(type(expected.degradation).__name__)}"
    for operator in ([], [named]):
        module.main(["train", "images", "--preset", preset, *operator])
    assert seen == [expected, expected]
