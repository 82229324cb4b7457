"""How the program was called, for its help and for the commands that it prints: these can be pasted where it was started."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "thaw"
"""Of the installed command: `thaw x ...` is `python recipes/x.py ...`."""
RUN_WORDS = ("sample", "restore", "degrade-and-restore", "resume")
"""What `thaw` does with a run without the name of its recipe."""


def program(file: str | Path) -> str:
    """What the help calls the recipe in `file`: sindiffusion.py, or thaw sindiffusion."""
    return f"{NAME} {word(file)}" if _installed() else Path(file).name


def pasteable(*words: str | Path, recipe: str | None = None) -> str:
    """`words` for the program that runs, or for the file `recipe` beside it, as it was called and quoted for a shell:
    python recipes/sindiffusion.py resume 'runs/my photo', or thaw sindiffusion resume 'runs/my photo'. With the file of
    the user's own types, if it was called with one."""
    program = Path(sys.argv[0])
    types = file_of_types(sys.argv[1:])
    if types is not None:
        words = (*words, "--types", types)
    if _installed():
        first = word(recipe) if recipe else sys.argv[1]
        return shlex.join([NAME, *([] if first in RUN_WORDS else [first]), *map(str, words)])
    return shlex.join(map(str, (sys.orig_argv[0], program.with_name(recipe) if recipe else program, *words)))


def given(**options: object) -> list[str]:
    """The options that were given, and not left at None: sampler="ddim", steps=None is --sampler ddim."""
    flags = {f"--{name.replace('_', '-')}": str(value) for name, value in options.items() if value is not None}
    return [word for pair in flags.items() for word in pair]


def again() -> str:
    """The command as it was called, word for word."""
    called = [NAME] if _installed() else [sys.orig_argv[0], sys.argv[0]]
    return shlex.join([*called, *sys.argv[1:]])


def file_of_types(args: Sequence[str]) -> Path | None:
    """The value of --types, which says what other arguments may name."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--types", type=Path)
    return parser.parse_known_args(list(args))[0].types


def _installed() -> bool:
    return Path(sys.argv[0]).stem == NAME


def word(file: str | Path) -> str:
    """What a recipe's file is called: import_.py, which is a word of Python, import."""
    return Path(file).stem.rstrip("_").replace("_", "-")
