"""The pages of the command line, written from what the programs' own parsers say when they are asked for --help."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

from sphinx.application import Sphinx

WIDTH = 88
BOX = re.compile(r"^╭─ (.+?) ─+╮\n(.*?)^╰─+╯\n", re.MULTILINE | re.DOTALL)
CHOICES = re.compile(r"\{([a-z-]+(?:,[a-z-]+)*)\}\]?$", re.MULTILINE)
"""Commands in the line of usage: names without a colon, which those of a type (degradation:snow) have."""
Main = Callable[[Sequence[str]], object]


def said(main: Main, *args: str) -> str:
    """What the program prints with --help."""
    text = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # an encoding in which boxes can be drawn
    with (
        mock.patch.dict(os.environ, COLUMNS=str(WIDTH)),
        mock.patch.object(sys, "argv", ["thaw", *args]),
        contextlib.redirect_stdout(text),
        contextlib.suppress(SystemExit),
    ):
        main([*args, "--help"])
    text.seek(0)
    return re.sub(r"\x1b\[[\d;]*m", "", text.read())


def usage(text: str) -> str:
    """The line of usage, wrapped."""
    line = text.partition("\n\n")[0].removeprefix("usage: ").replace(",", ", ")
    return textwrap.fill(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def options(text: str) -> str:
    """Usage and boxes; not what they describe, nor the commands, which have sections of their own."""
    boxes = [match[0] for match in BOX.finditer(text) if match[1] != "subcommands"]
    return "".join(["```{code-block} text\n", usage(text), "\n", *boxes, "```\n"])


def page(title: str, doc: str, main: Main) -> str:
    """A recipe: what its file says of it, and each of its commands."""
    text = said(main)
    parts = [f"# {title}\n", doc, ""]
    found = CHOICES.search(text.partition("\n\n")[0])
    commands = found[1].split(",") if found else []
    if not commands:
        parts += ["## Options\n", options(text)]
    for command in commands:
        parts += [f"## {title} {command}\n", options(said(main, command))]
    return "\n".join(parts)


def types_page(main: Main) -> str:
    """Settings of the degradations, which are the same in every recipe."""
    names = re.search(r"\{(degradation:[^}]*)\}", said(main, "train"))
    assert names is not None
    parts = ["# degradation:...\n", "A type is named after the images, and its settings after it, in every recipe's `train`,"]
    parts += ["in `degrading` and in `solve`. Defaults are those of `sindiffusion`; a recipe's own may differ.\n"]
    for name in names[1].split(","):
        text = said(main, "train", "photo.jpg", name)
        boxes = "".join(match[0] for match in BOX.finditer(text) if match[1].startswith("degradation"))
        parts += [f"## {name}\n", f"```{{code-block}} text\n{boxes}```\n"]
    return "\n".join(parts)


def write(path: Path, text: str) -> None:
    """Only what has changed, so that Sphinx reads no page twice."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def generate(app: Sphinx) -> None:
    from recipes.command import cli
    from recipes.command.main import module_of, recipes_by_name
    from recipes.command.pasteable import RUN_WORDS

    home = Path(app.srcdir) / "reference" / "commands"
    home.mkdir(exist_ok=True)
    pages = {}
    for name in recipes_by_name():
        module = importlib.import_module(f"recipes.{module_of(name)}")
        pages[name] = page(f"thaw {name}", inspect.cleandoc(module.__doc__ or ""), module.main)
    with_run = ["# With a run\n", "Whatever recipe it was trained by.\n"]
    for word in RUN_WORDS:
        with_run += [f"## thaw {word}\n", options(said(cli.with_run, word))]
    pages["with-a-run"] = "\n".join(with_run)
    pages["degradations"] = types_page(importlib.import_module("recipes.sindiffusion").main)
    for old in home.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        write(home / f"{name}.md", text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
