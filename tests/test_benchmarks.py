"""Processes of a benchmark end with it, without a word; where one is gone, the benchmark says so in a line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.commands import ENVIRONMENT, ROOT

SCRIPT = """
import os, sys
sys.path.insert(0, {home!r})
from processes import Worker, alone

def dies():
    os._exit(3)

def counting():
    steps = []
    def step():
        steps.append(1)
        return len(steps)
    return step

if __name__ == "__main__":
    {body}
"""


def ran(body: str, tmp_path) -> tuple[int, str, str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(home=str(ROOT / "benchmarks"), body=body))
    result = subprocess.run(
        [sys.executable, str(script)], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("w = Worker('row', counting); print(w.ask(), w.ask()); w.end(); print(w.process.exitcode)", "1 2\n0\n"),
        ("w = Worker('row', counting); print(w.ask())", "1\n"),
        ("print(alone('square', pow, 3, 2))", "9\n"),
    ],
    ids=["ended", "left", "alone"],
)
def test_processes_end_with_the_benchmark(body, said, tmp_path):
    assert ran(body, tmp_path) == (0, said, "")


def test_a_process_that_is_gone(tmp_path):
    code, out, err = ran("alone('row', dies)", tmp_path)
    assert (code, out) == (1, "") and err == "error: the process of 'row' is gone (exit code 3); what it said stands above.\n"
