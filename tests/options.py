"""Every option of every program in recipes/, read off the parsers themselves."""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
import warnings
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tyro

ROOT = Path(__file__).resolve().parents[1]
FILES = [path for path in sorted((ROOT / "recipes").glob("*.py")) if "    cli.run(" in path.read_text(encoding="utf-8")]


class Option(NamedTuple):
    commands: tuple[str, ...]
    """The words that lead to it, such as ("train", "degradation:snow")."""
    flag: str
    """Such as "--training.steps"; "" for a positional argument."""
    nargs: Any
    """How many values it takes; "*" for any number."""
    kind: str
    """What a value is, as the help says: "{None}|INT"."""
    place: tuple[str, ...]
    """The field that it sets: ("recipe", "training", "steps")."""

    @property
    def numeric(self) -> bool:
        return "INT" in self.kind or "FLOAT" in self.kind

    @property
    def sized(self) -> bool:
        """Whether it takes numbers, or the size of an image."""
        return self.numeric or "HxW" in self.kind


@dataclass(frozen=True)
class Program:
    """A file in recipes/, as it hands itself to tyro."""

    name: str
    what: Any
    settings: dict[str, Any]

    def parsed(self, args: list[str]) -> Any:
        """What the arguments make of it. Raises SystemExit where tyro refuses them."""
        return tyro.cli(self.what, args=args, **self.settings)

    @cached_property
    def options(self) -> list[Option]:
        """Each once, though most belong to several sub-commands."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            parser = tyro.extras.get_parser(self.what, **self.settings)
        found: dict[tuple, Option] = {}
        for option in _walk(parser, ()):
            found.setdefault((option.commands[: None if "degradation" in option.place else 1], *option[1:]), option)
        return list(found.values())


def program(file: Path) -> Program:
    """Runs the last block of the file, which makes a program of it, up to where its arguments would be parsed."""
    module = importlib.import_module(f"recipes.{file.stem}")
    *_, block = ast.parse(file.read_text(encoding="utf-8")).body
    found: list[Program] = []

    def record(what: Any, *, args: Any, **settings: Any) -> Any:
        if settings.get("return_unknown_args"):
            return settings["default"], []  # the first of two looks: nothing was chosen
        found.append(Program(file.stem, what, settings))
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(tyro, "cli", record)
        patch.setattr(sys, "argv", [str(file), "train"])
        exec(compile(ast.Module(block.body, []), str(file), "exec"), module.__dict__)
    return found[0]


def _walk(parser: ArgumentParser, commands: tuple[str, ...]) -> Iterator[Option]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction) or isinstance(action.choices, dict):
            for name, inner in action.choices.items():
                yield from _walk(inner, (*commands, name))
        elif action.dest != "help":
            place = action.dest.removeprefix("__tyro-dummy-inner__.").replace("-", "_").split(".")
            yield Option(commands, (action.option_strings or [""])[0], action.nargs, str(action.metavar), tuple(place))
