"""Every command in the README, the guides and the docstrings of recipes/ is one: the program's own command line takes it."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tyro

from recipes.command import cli as run_cli
from recipes.command import main as entry
from recipes.command.pasteable import RUN_WORDS, word
from tests import own_types

ROOT = Path(__file__).resolve().parents[3]
GENERATED = {"_build", "auto_gallery", "commands", "generated"}
TEXTS = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if not GENERATED & {*path.parts}),
    *sorted((ROOT / "docs" / "gallery").glob("*.py")),
]
START = r"(?:python recipes/(\w+)\.py|torchrun (?:[^`\n]|\\\n)*?recipes/(\w+)\.py|thaw ([\w-]+))"
COMMAND = re.compile(rf"`(?:[^`\n]*&& )?{START}\b([^`]*)`|^ *(?:[^`\n]*&& )?{START}\b((?:[^\\\n]|\\\n)*)$", re.MULTILINE)
"""In an inline `code` of one line or more, or a line of its own, which a backslash continues."""


class Documented(NamedTuple):
    place: str
    """File and line."""
    recipe: str
    args: tuple[str, ...]


def found_in(text: str, place: str, first: int = 1) -> Iterator[Documented]:
    for match in COMMAND.finditer(text):
        *_, rest = (group for group in match.groups() if group is not None)
        recipe = next(group for group in match.groups() if group)
        line = first + text[: match.start()].count("\n") + (text[match.start()] == "\n")
        args = shlex.split(rest.replace("\\\n", " "), comments=True)
        if "..." not in args and recipe != "x":  # `thaw x ...` stands for any
            yield Documented(f"{place}:{line}", entry.module_of(recipe), tuple(args))


def documented() -> Iterator[Documented]:
    for path in TEXTS:
        yield from found_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "recipes").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield from found_in(node.value.value, str(path.relative_to(ROOT)), node.lineno)


@pytest.fixture
def parses(tmp_path, monkeypatch):
    """Runs a recipe's own `main`, up to where it would do what the arguments ask for."""
    cli = tyro.cli

    def nothing(*args, **kwargs):
        pass

    def parsed(what, **settings):
        asked = cli(functools.wraps(what)(nothing) if inspect.isfunction(what) else what, **settings)
        command = asked[0] if settings.get("return_unknown_args") else asked
        if command is not None:
            monkeypatch.setattr(type(command), "__call__", nothing)
        return asked

    def main(recipe: str, args: tuple[str, ...]) -> None:
        for place in (i + 1 for i, arg in enumerate(args) if arg == "--types"):
            Path(args[place]).write_text(Path(own_types.__file__).read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", [f"recipes/{recipe}.py", *args])
        if recipe.replace("_", "-") in RUN_WORDS:
            run_cli.with_run((recipe.replace("_", "-"), *args))
        else:
            importlib.import_module(f"recipes.{recipe}").main(args)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tyro, "cli", parsed)
    monkeypatch.setattr("recipes.command.training.train", nothing)  # what a recipe does without arguments
    return main


@pytest.mark.parametrize("command", list(documented()), ids=lambda command: command.place)
def test_it_parses(command, parses, capsys):
    known = {*entry.recipes_by_name(), *RUN_WORDS}
    assert word(command.recipe) in known, f"{command.place}: there is no {command.recipe}"
    try:
        parses(command.recipe, command.args)
    except (SystemExit, ValueError) as error:
        if getattr(error, "code", 1):
            pytest.fail(f"{command.place}: {shlex.join(command.args)}: {error}\n{capsys.readouterr().err}")


def test_commands_are_found():
    """In every form that they are written in, and those of every recipe in its own docstring."""
    text = """
`python recipes/a.py sample runs/photo` and `pip install x && python recipes/b.py`, `python recipes/c.py classes
runs/x`; `thaw blur-generation train digits`; not `thaw x ...`, nor `resume runs/photo`.

    torchrun --nproc-per-node 2 \\
        recipes/d.py train photo.jpg    # yours
    pip install x && python recipes/e.py
"""
    assert list(found_in(text, "text")) == [
        ("text:2", "a", ("sample", "runs/photo")),
        ("text:2", "b", ()),
        ("text:2", "c", ("classes", "runs/x")),
        ("text:3", "blur_generation", ("train", "digits")),
        ("text:5", "d", ("train", "photo.jpg")),
        ("text:7", "e", ()),
    ]
    own = {Path(command.place.split(":")[0]).stem for command in documented() if command.place.startswith("recipes/")}
    assert {entry.module_of(name) for name in entry.recipes_by_name()} <= own


@pytest.mark.parametrize(
    ("recipe", "args"),
    [
        ("sindiffusion", ("train", "photo.jpg", "degradation:fog")),
        ("sindiffusion", ("samples", "runs/photo")),
        ("edit", ("outpaint", "photo.jpg", "--sizes", "8x8")),
        ("judge", ()),
        ("instant", ()),
    ],
)
def test_what_is_no_command_is_refused(recipe, args, parses, capsys):
    with pytest.raises(SystemExit, match="2"):
        parses(recipe, args)
