"""Ctrl-C while a library is loaded: one word, and the status of a program that was interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.commands import ROOT

PRESSED = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(
    ("library", "program"),
    [("tyro", ["edit.py", "--help"]), ("tyro", ["sindiffusion.py"]), ("torch", ["degrading.py", "photo.png"])],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_while_a_library_is_loaded(library, program, photo, tmp_path):
    """In place of the library stands a file that presses Ctrl-C."""
    (tmp_path / f"{library}.py").write_text(PRESSED)
    name, *args = program
    result = subprocess.run(
        [sys.executable, ROOT / "recipes" / name, *args],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == -signal.SIGINT
    assert result.stderr == "interrupted\n"
