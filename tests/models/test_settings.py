"""Settings are apart from their networks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import models
from models import NETWORKS, NetworkSettings

ROOT = Path(models.__file__).parent


def test_settings_import_no_network():
    """Nor torch, not even for type checking beyond `torch.nn`; so there is no circle."""
    for file in (ROOT / "settings").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models"):
                assert (node.module or "").startswith("models.settings"), f"{file.name} imports {node.module}"


def test_importing_settings_does_not_import_torch():
    code = "import sys, models.settings, models.condition; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, check=False).returncode == 0


@pytest.mark.parametrize("settings", NETWORKS)
def test_settings_find_their_network(settings):
    with torch.device("meta"):
        network = settings().build()
    assert isinstance(settings(), NetworkSettings)
    assert type(network).__name__ + "Config" == settings.__name__ and network.config == settings()
