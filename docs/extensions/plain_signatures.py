"""Signatures without what only the command line reads of them, and classes above those that have a page only."""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any, Generic, Protocol

from names import PACKAGES
from sphinx.application import Sphinx

COMMAND_LINE = re.compile(r"Annotated\[(.+?), (?:choice|setting)\(.*\)\]|(?:Positional|AvoidSubcommands)\[(.+)\]")


def plain(annotation: Any) -> Any:
    """The type alone of one that tells the parser more."""
    match = COMMAND_LINE.fullmatch(annotation) if isinstance(annotation, str) else None
    return annotation if match is None else match[1] or match[2]


def strip(app: Sphinx) -> None:
    """After the pages of the command line, which are made of what is taken away here."""
    for package in map(importlib.import_module, PACKAGES):
        for name in package.__all__:
            found = getattr(package, name)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                for holder in (found, found.__init__):
                    for field, annotation in holder.__annotations__.items():
                        holder.__annotations__[field] = plain(annotation)


def public_bases(app: Sphinx, name: str, obj: type, options: object, bases: list[type]) -> None:
    def above(base: type) -> list[type]:
        own = base.__module__.partition(".")[0] in PACKAGES
        shown = not own or hasattr(importlib.import_module(base.__module__.partition(".")[0]), base.__name__)
        return [base] if shown else [found for each in base.__bases__ for found in above(each)]

    found = dict.fromkeys(base for each in obj.__bases__ for base in above(each))
    bases[:] = [base for base in found if base not in (object, Protocol, Generic)] or [object]


def readable(app: Sphinx, what: str, name: str, obj: object, options: object, arguments: str | None, returned: str | None):
    """Defaults that are made anew each time as dots: what Python calls them is no Python."""
    return arguments and arguments.replace("<factory>", "..."), returned


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", strip, priority=900)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("autodoc-process-signature", readable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
