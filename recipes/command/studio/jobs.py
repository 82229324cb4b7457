"""Commands that wait for their turn: one at a time, each tells how far it is, and can be cancelled."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Literal

from recipes.command import cli
from restore.machine.provenance import made_by
from samplers.watched import watching


class CancelledError(Exception):
    """What ends a walk that nobody waits for any more."""


class Job:
    """A command that someone waits for."""

    def __init__(self, command: Callable[[], None], owner: str, line: str = "") -> None:
        self.command, self.owner, self.line = command, owner, line
        self.state: Literal["waits", "runs", "done", "failed", "cancelled"] = "waits"
        self.said = ""
        """What the command printed, or the line that says why it failed."""
        self.share = 0.0
        """Done, as it says itself."""
        self._steady = True
        self._asked_to_stop = threading.Event()
        self._since = 0.0

    @property
    def ended(self) -> bool:
        return self.state not in ("waits", "runs")

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where nothing can be said: at the start, and where walks began that were not counted on."""
        if not self.share or not self._steady:
            return None
        return (time.monotonic() - self._since) * (1 - self.share) / self.share

    def cancel(self) -> None:
        """Ends it: at once while it waits, after the step that it is at when it runs."""
        self._asked_to_stop.set()
        if self.state == "waits":
            self.state = "cancelled"

    def run(self) -> None:
        """Runs the command, unless it was cancelled."""
        if self.ended:
            return
        self.state, self._since = "runs", time.monotonic()
        printed = StringIO()
        try:
            with watching(self._step), made_by(self.line), redirect_stdout(printed):
                self.command()
        except CancelledError:
            self.state = "cancelled"
        except Exception as error:
            reason = cli.in_words(error)
            if reason is None:
                traceback.print_exc()
            self.said = reason or f"a fault of the program, see its terminal: {type(error).__name__}: {error}"
            self.state = "failed"
        else:
            self.said, self.share, self.state = printed.getvalue().strip(), 1.0, "done"

    def _step(self, share: float) -> None:
        if self._asked_to_stop.is_set():
            raise CancelledError
        self._steady = self._steady and share >= self.share
        self.share = share


class Jobs:
    """One worker; what is asked for meanwhile waits in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._open: list[Job] = []
        threading.Thread(target=self._work, name="jobs", daemon=True).start()

    def submit(self, job: Job) -> Job:
        self._open = [*(each for each in self._open if not each.ended), job]
        self._queue.put(job)
        return job

    def before(self, job: Job) -> int:
        """How many have to end before `job` has its turn."""
        waiting = [each for each in self._open if not each.ended]
        return waiting.index(job) if job in waiting else 0

    def cancel(self, owner: str) -> None:
        """Cancels what was submitted for `owner`, or for all whose name begins so."""
        for job in self._open:
            if job.owner.startswith(owner):
                job.cancel()

    def _work(self) -> None:
        while True:
            self._queue.get().run()
