from __future__ import annotations

from typing import Any

import pytest

from restore import pretrained
from tests.published_models import made, saved


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A tiny published pipeline of diffusers by its name, and ours of the folder that it saved; each made once."""
    kept: dict[str, Any] = {}

    def get(name: str, **options: Any) -> tuple[Any, Any]:
        key = f"{name}{options}"
        if key not in kept:
            theirs = made(name, **options)
            kept[key] = theirs, pretrained(saved(theirs, tmp_path_factory.mktemp(name) / name), "cpu")
        return kept[key]

    return get
