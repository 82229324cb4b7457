from __future__ import annotations

import pytest

from tests.tiny import tiny


@pytest.fixture(params=["photograph", "run"])
def source(request, photo, tmp_path):
    """What pictures are edited with: a photograph, or the folder of a run."""
    if request.param == "photograph":
        return photo
    tiny(photo).train(tmp_path / "run")
    return tmp_path / "run"
