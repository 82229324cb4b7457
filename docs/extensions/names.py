"""Public names lead to their pages: where `GaussianBlur` stands in a text, and in signatures."""

from __future__ import annotations

import importlib
from functools import cache

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

PACKAGES = ("degrade", "models", "samplers", "restore")


@cache
def public() -> dict[str, str]:
    """Each public name, and the same with its package, by the name in full."""
    found = {}
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            found[f"{package}.{name}"] = f"{package}.{name}"
            if name[0].isupper():  # `sample` and `train` are commands too
                found[name] = f"{package}.{name}"
    return found


def link_code(app: Sphinx, doctree: nodes.document) -> None:
    for literal in list(doctree.findall(nodes.literal)):
        full = public().get(literal.astext().partition("(")[0])
        if full is None or isinstance(literal.parent, nodes.reference | pending_xref | nodes.title):
            continue
        link = pending_xref("", refdomain="py", reftype="obj", reftarget=full, refexplicit=True, refwarn=False)
        link["refdoc"] = app.env.docname
        literal.replace_self(link)
        link += literal


def by_last_part(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """The one object that is called so, for names of signatures, which are those of the module that they were taken from."""
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    last = node["reftarget"].rpartition(".")[2]
    found = [name for name in objects if name.rpartition(".")[2] == last]
    found = [name for name in found if objects[name].objtype not in ("method", "attribute", "property", "module")]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", link_code)
    app.connect("missing-reference", by_last_part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
