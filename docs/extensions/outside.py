"""Links from a page to a file of the repository outside docs/ lead to the page that shows it, or to nothing but its name."""

from __future__ import annotations

import posixpath
import re

from sphinx.application import Sphinx

PAGES = {"CONTRIBUTING.md": "development/contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "start.md"}
LINK = re.compile(r"\]\(((?:\.\./)+)([A-Z]+\.md)(#[\w-]*)?\)")


def redirected(app: Sphinx, docname: str, source: list[str]) -> None:
    home = posixpath.dirname(docname) or "."

    def page(match: re.Match[str]) -> str:
        return f"]({posixpath.relpath(PAGES[match[2]], home)}{match[3] or ''})"

    source[0] = LINK.sub(page, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", redirected)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
