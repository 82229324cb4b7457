"""Links to files that Sphinx shows as a page of another name lead there: scripts of the gallery, and files outside docs/."""

from __future__ import annotations

import posixpath
import re

from sphinx.application import Sphinx

PAGES = {"CONTRIBUTING.md": "development/contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "start.md"}
LINK = re.compile(r"\]\((?:\.\./)*(?:([A-Z]+\.md)|gallery/(\w+)\.(?:py|rst))(#[\w-]*)?\)")


def redirected(app: Sphinx, docname: str, source: list[str]) -> None:
    home = posixpath.dirname(docname) or "."

    def page(match: re.Match[str]) -> str:
        script = "index" if match[2] == "GALLERY_HEADER" else match[2]
        target = PAGES[match[1]] if match[1] else f"auto_gallery/{script}.rst"
        return f"]({posixpath.relpath(target, home)}{match[3] or ''})"

    source[0] = LINK.sub(page, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", redirected)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
