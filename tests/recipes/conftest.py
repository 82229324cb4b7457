from __future__ import annotations

import pytest

from restore import save_image
from restore.data import bundled
from restore.training.session import train
from tests.tiny import tiny


@pytest.fixture(params=["photograph", "run"])
def source(request, photo, tmp_path):
    """What pictures are edited with: a photograph, or the folder of a run."""
    if request.param == "photograph":
        return photo
    train(tiny(photo), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A few of the digits, as `datasets` would write them."""
    monkeypatch.chdir(tmp_path)
    for i, (name, image) in enumerate(bundled.SETS["digits"].images()):
        if i % 60 < 5:
            save_image(image, tmp_path / "runs/data/digits" / f"{name}.png")
    return tmp_path
