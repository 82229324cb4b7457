"""Files from strangers: refused in one clear line each, without running their code or exhausting memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.damaged_images import MAY_DECODE

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("what", "count"), [("checkpoints", 507), ("images", 203)])
def test_damaged_files(what, count, tmp_path):
    """Half a thousand checkpoints, two hundred images: one line each, no traceback, no code executed, less than 1 GiB."""
    result = subprocess.run(
        [sys.executable, "-m", f"tests.damaged_{what}", str(count), tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(result.stdout.splitlines()[-1])
    for damage, outcome, message in report["outcomes"]:
        assert outcome == "refused" or (outcome == "accepted" and damage in MAY_DECODE), f"{damage}: {outcome} {message}"
    assert len(report["outcomes"]) >= count
    assert not report["code_was_run"]
    assert report["peak"] < 2**30
    refused = sum(outcome == "refused" for _, outcome, _ in report["outcomes"])
    print(f"{len(report['outcomes'])} {what}, {refused} refused, at most {report['peak'] / 2**20:.0f} MiB")
