"""The command `thaw`: `thaw x ...` is `python recipes/x.py ...`; what is done with a run needs no recipe's name."""

from __future__ import annotations

import recipes.command.interrupt  # noqa: F401  # isort: skip
import ast
import importlib
import keyword
from collections.abc import Sequence
from pathlib import Path

from _thaw import VERSION
from recipes.command.pasteable import NAME, RUN_WORDS, word

HERE = Path(__file__).resolve().parents[1]


def recipes_by_name() -> dict[str, str]:
    """Every file of recipes/ that has a command line, as it is called, with the first line of what it says of itself."""
    found = {}
    for file in sorted(HERE.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(_is_main(node) for node in tree.body):
            found[word(file)] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _is_main(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name == "main"
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "main" for t in node.targets)


def thaw(args: Sequence[str]) -> None:
    """Runs the recipe that the first argument names, with the others; or what it says with a run. Raises ValueError where there
    is nothing of that name."""
    if args[:1] in (["--version"], ["-V"]):
        print(f"{NAME} {VERSION}")
        return
    known = recipes_by_name()
    if not args or args[0] in ("-h", "--help"):
        width = max(map(len, known))
        print("usage: thaw RECIPE ..., or thaw COMMAND RUN ...\n")
        print("\n".join(f"  {name:{width}}  {line}" for name, line in known.items()))
        print(f"\nWith a run, whatever recipe it is of: {', '.join(RUN_WORDS)}.\nthaw RECIPE --help says more; thaw --version.")
        return
    name = args[0].replace("_", "-")
    if name in RUN_WORDS:
        from recipes.command import cli

        cli.with_run(args)
        return
    if name not in known:
        raise ValueError(
            f"{args[0]!r} is no recipe and no command; recipes are {', '.join(known)}; commands {', '.join(RUN_WORDS)}."
        )
    importlib.import_module(f"recipes.{module_of(name)}").main(args[1:])


def module_of(name: str) -> str:
    """The file in recipes/ that a recipe's name stands for: that of a word of Python ends with _, as is usual."""
    return name.replace("-", "_") + "_" * keyword.iskeyword(name)


def main() -> None:
    from recipes.command import cli

    cli.run(thaw)
