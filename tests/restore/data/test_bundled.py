"""Sets by name are written whole, at their first use."""

from __future__ import annotations

import torch

from restore.data import bundled


def test_two_that_write_a_set_at_once(tmp_path, monkeypatch):
    """The one that is done last takes what is there, and leaves nothing of its own."""

    def images():
        if not nested:
            nested.append(True)
            bundled.written("grey")
        yield "train/0", torch.zeros(1, 8, 8)

    nested = []
    monkeypatch.setattr(bundled, "HOME", tmp_path)
    monkeypatch.setitem(bundled.SETS, "grey", bundled.Named(images, size=8, channels=1))
    assert bundled.written("grey") == tmp_path / "grey"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["0.png", "grey", "train"]
