"""Docstrings as they are written, in Markdown: their first paragraph for autosummary's tables too, all else through MyST."""

from __future__ import annotations

import re
import sys
from typing import Any

from docutils import nodes
from docutils.utils import new_document
from myst_parser.parsers.sphinx_ import MystParser
from names import PACKAGES
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

SAYS_NOTHING = ("Alias for field number", "Call self as a function")
"""What Python says of what has no docstring itself."""


class Markdown(SphinxDirective):
    """Its content, read as Markdown."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        document = new_document(self.state.document.current_source or "", self.state.document.settings)
        MystParser().parse("\n".join(self.content), document)
        return document.children


def in_rest(paragraph: str) -> str:
    """Plain prose with `code` in it, in reStructuredText."""
    code = re.split(r"`([^`]+)`", paragraph)
    return "".join(f"``{part}``" if i % 2 else re.sub(r"([\\*_|`])", r"\\\1", part) for i, part in enumerate(code))


def beside(name: str, obj: object) -> list[str]:
    """What stands under an assignment, in whichever of the project's modules it is: a value knows nothing of it itself."""
    last = name.rpartition(".")[2]
    for module in sorted(module for module in sys.modules if module.partition(".")[0] in PACKAGES):
        if getattr(sys.modules[module], "__dict__", {}).get(last) is obj:
            found = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", last))
            if found:
                return list(found)
    return []


def converted(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    if what in ("data", "type"):
        lines[:] = beside(name, obj)
    if not lines or lines[0].startswith(SAYS_NOTHING):
        lines[:] = []
        return
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    first, rest = " ".join(lines[:end]), lines[end:]
    lines[:] = [in_rest(first), ""]
    if any(map(str.strip, rest)):
        lines += [".. markdown::", "", *(f"   {line}" for line in rest), ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("markdown", Markdown)
    app.connect("autodoc-process-docstring", converted)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
