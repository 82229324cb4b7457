"""Files from strangers: refused in one clear line each, without running their code or exhausting memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.damaged_checkpoints import CHECKPOINTS
from tests.damaged_images import IMAGES, MAY_DECODE

ROOT = Path(__file__).resolve().parents[3]


def opened(what: str, count: int, folder: Path) -> dict:
    """The report of a process that meets so many of them: its memory is measured."""
    line = [sys.executable, "-m", f"tests.{what}", str(count), folder]
    result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("what", "kinds"), [("damaged_checkpoints", CHECKPOINTS), ("damaged_images", IMAGES)], ids=["checkpoints", "images"]
)
def test_damaged_files(what, kinds, tmp_path, request):
    """One line each, no traceback, no code executed, less than 1 GiB. `--damages 39` damages half a thousand checkpoints."""
    count = request.config.getoption("damages") * len(kinds)
    report = opened(what, count, tmp_path)
    for damage, outcome, message in report["outcomes"]:
        assert outcome == "refused" or (outcome == "accepted" and damage in MAY_DECODE), f"{damage}: {outcome} {message}"
    assert len(report["outcomes"]) >= count
    assert not report["code_was_run"]
    assert report["peak"] < 2**30
    refused = sum(outcome == "refused" for _, outcome, _ in report["outcomes"])
    print(f"{len(report['outcomes'])} of {what}, {refused} refused, at most {report['peak'] / 2**20:.0f} MiB")


def test_crafted_runs(tmp_path, request):
    """Sampled, restored, evaluated and resumed: nothing outside of the folder changes, no code is executed, less than 1 GiB and
    20 s each, one line where it is refused. `--crafts 2000` crafts more."""
    count = request.config.getoption("crafts")
    report = opened("crafted_runs", count, tmp_path)
    assert not report["changes"] and not report["code_was_run"]
    for use, outcome, message in report["outcomes"]:
        assert outcome in ("done", "refused"), f"{use}: {outcome} {message}"
    assert report["peak"] < 2**30
    done = sum(outcome == "done" for _, outcome, _ in report["outcomes"])
    assert len(report["outcomes"]) > 2 * count and 0.2 < done / len(report["outcomes"]) < 0.9
    print(
        f"{count} runs, {done} of {len(report['outcomes'])} uses done, the others refused; at most "
        f"{report['peak'] / 2**20:.0f} MiB, {report['slowest']:.1f} s"
    )
