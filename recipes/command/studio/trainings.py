"""A training in a process of its own, so that it goes on when a tab is closed, and saves when it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[2] / "sindiffusion.py"
TAIL = 4096
"""Bytes of what it printed that are looked at."""


class Trainings:
    """One at a time."""

    def __init__(self, log: Path) -> None:
        self.log = log
        """What it prints."""
        self.folder: Path | None = None
        self._process: subprocess.Popen | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, folder: Path, arguments: Sequence[str]) -> None:
        """Runs `sindiffusion.py *arguments`, which trains in `folder`. ValueError where another training runs."""
        if self.runs:
            raise ValueError(f"a training runs already, in {self.folder}: stop it first.")
        self.folder = folder
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(RECIPE), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TQDM_MININTERVAL": "1"},
                start_new_session=True,
            )

    def stop(self) -> None:
        """Asks it to save and end."""
        if self.runs and self._process is not None:
            with suppress(OSError):  # not SIGINT: what runs in the background ignores that. Windows ends it at its last save
                self._process.terminate()

    def close(self) -> None:
        """Stops it, and waits until it has saved."""
        self.stop()
        if self._process is not None:
            self._process.wait()

    def printed(self, lines: int = 6) -> str:
        """The last lines that it printed; of a bar that was drawn over and over the last one."""
        if self.folder is None:
            return ""
        with open(self.log, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL))
            text = log.read().decode("utf-8", "replace")
        rows = [row.rstrip("\r").rpartition("\r")[2] for row in text.split("\n")]
        return "\n".join([row for row in rows if row.strip()][-lines:])
