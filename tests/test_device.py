"""tests/on_device.py, in a process of its own."""

from __future__ import annotations

import pytest

from tests import forked
from tests.commands import ROOT


def test_on_a_device():
    pytest.importorskip("torch.utils.backend_registration")
    done = forked.start([str(ROOT / "tests" / "on_device.py")], ROOT).finish(timeout=900)
    assert done.returncode == 0, done.stdout[-4000:]
