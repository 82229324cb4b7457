from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restore import pretrained


@pytest.fixture(scope="session")
def both(published):
    """A tiny published pipeline of diffusers by its name, and ours of its folder; each made once."""
    kept: dict[Path, Any] = {}

    def get(name: str, **options: Any) -> tuple[Any, Any]:
        theirs, folder = published(name, **options)
        if folder not in kept:
            kept[folder] = pretrained(folder, "cpu")
        return theirs, kept[folder]

    return get
