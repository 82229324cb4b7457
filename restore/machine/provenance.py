"""Where a result came from: command, versions, commit."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from _thaw import VERSION
from degrade.lazy import torch

_command: ContextVar[str | None] = ContextVar("command", default=None)


@contextmanager
def made_by(command: str) -> Iterator[None]:
    """Results that are written inside, in this thread, come from `command`, whatever program runs it."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


def provenance() -> dict[str, str]:
    """The command line, the versions of this project, Python and torch, and the commit if it lies in a git checkout."""
    return {"command": _command.get() or shlex.join(sys.argv), **_versions()}


@lru_cache
def _versions() -> dict[str, str]:
    return {
        "thaw": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": _commit() or "unknown",
    }


def _commit() -> str:
    """The commit, with "+changes" where tracked files differ from it."""
    home = Path(__file__).resolve().parents[2]
    if not (home / ".git").exists():  # installed, perhaps within another project's checkout
        return ""
    git = ["git", "-C", str(home), "describe", "--always", "--abbrev=40", "--dirty=+changes"]
    try:
        return subprocess.run([*git, "--exclude=*"], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
