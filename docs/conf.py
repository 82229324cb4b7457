"""Sphinx: `sphinx-build -W -n -b html docs docs/_build/html`. Needs the extra `docs`, and no network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

from _thaw import VERSION  # noqa: E402

project = "Thaw"
copyright = "Thaw's authors"
release = version = VERSION

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "command_line",
    "markdown_docstrings",
    "mathml",
    "names",
    "outside",
    "plain_signatures",
]
exclude_patterns = ["_build", "gallery", "reference/generated/*.inc"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Thaw {release}"
html_static_path = ["_static"]
html_css_files = ["thaw.css"]
html_copy_source = False

autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "special-members": "__call__",
    "member-order": "bysource",
}
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "parallel": 2,
    "write_computation_times": False,  # a page with scripts from elsewhere
    "download_all_examples": False,
    "show_signature": False,
    "doc_module": ("degrade", "models", "samplers", "restore"),
    "reference_url": dict.fromkeys(("degrade", "models", "samplers", "restore")),
    "backreferences_dir": "reference/generated/backreferences",
}

autodoc_preserve_defaults = True
autosummary_ignore_module_all = False
add_module_names = False
maximum_signature_line_length = 90
python_use_unqualified_type_names = True

# Other projects' names, and type variables: their pages are elsewhere, and looking them up takes a network.
nitpick_ignore_regex = [
    ("py:.*", r"(torch|pathlib|abc|collections\.abc|contextlib|enum|typing|types|numpy)\..*"),
    ("py:class", r"tuple\[.*|Tensor|Path|Generator|nn\.Module|Sequence|Mapping|Iterator|Callable"),
    # as annotations name them, without their module
    ("py:class", r"Published|NetworkPipeline|Latents|Edited|Look|Basis|restore\.latents\.Annotated.*"),
    ("py:.*", r"(degrade|samplers|models)\.\w+\.[A-Z]|[A-Z]"),  # type variables: one letter
]
