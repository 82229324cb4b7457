"""What the project has one of: its version, the start of the command `thaw`, and a check that its packages are its own.

The packages have common names. Where another folder or module of one of these comes first on Python's path, such as models.py
in the current folder, imports would end in puzzling errors: this says which path it is.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

VERSION = "0.1.0"
PACKAGES = ("degrade", "models", "samplers", "restore", "recipes")
HOME = os.path.dirname(os.path.abspath(__file__))


def own(*names: str) -> None:
    """Raises ImportError, in one line, unless Python finds the packages `names` beside this file."""
    for name in names:
        spec = find_spec(name)
        places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin or ""])
        expected = os.path.join(HOME, name)
        if places and os.path.realpath(places[0]) == os.path.realpath(expected):
            continue
        if not places:
            raise ImportError(f"Thaw's package {name} is missing: expected {expected}. Install the project again.")
        raise ImportError(
            f"Python finds {places[0]} in place of Thaw's package {name}, {expected}: rename it, or take it off Python's path "
            "(the folder of your script or the current one, PYTHONPATH, site-packages)."
        )


def main() -> None:
    """The command `thaw`."""
    try:
        own(*PACKAGES)
    except ImportError as error:
        sys.exit(f"error: {error}")
    from recipes.command.main import main

    main()
