"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from restore.machine.processes import under_torchrun


@contextmanager
def until_signal() -> Iterator[Callable[[], bool]]:
    """A function that tells whether SIGINT or SIGTERM has come. A second SIGINT does what it always did: it ends at once.

    torchrun passes on to its processes the Ctrl-C that the terminal has sent them already: what follows within two seconds is
    the same one.
    """
    came: list[float] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        again = bool(came) and not (under_torchrun() and time.monotonic() - came[0] < 2)
        came.append(time.monotonic())
        if number == signal.SIGINT and again:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    with suppress(ValueError):  # outside the main thread, where signals cannot be handled
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
