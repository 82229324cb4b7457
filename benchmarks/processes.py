"""Processes of their own for what is measured: the memory, the layouts and the kernels of one row are not those of another.

They end with the benchmark, without a word; where one is gone, or does not answer in time, the benchmark ends with a line.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

GROUPS: set[int] = set()
"""Groups of processes that this one has started, which end with it."""


class Worker:
    """A process that calls what `make()` returns whenever it is asked to. make: a function of a module, or a bound method."""

    def __init__(self, name: str, make: Callable[[], Callable[[], Any]]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(make, theirs), daemon=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the process inherits
        self.process.start()
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a benchmark without a traceback
        theirs.close()  # so that a process which is gone is found out

    def ask(self, limit: float | None = None) -> Any:
        """What the call gives. Ends the benchmark where the process is gone, or has no answer after `limit` seconds."""
        try:
            self.line.send("call")
            if not self.line.poll(limit):
                self.process.kill()
                self.process.join()
                sys.exit(f"error: the process of {self.name!r} had no answer after {limit:.0f} s, and was ended.")
            return self.line.recv()
        except (EOFError, OSError):
            self.process.join(10)
            code = self.process.exitcode
            sys.exit(f"error: the process of {self.name!r} is gone (exit code {code}); what it said stands above.")

    def end(self) -> None:
        """Waits until it is gone, and its memory with it."""
        self.line.close()
        self.process.join()


def alone(name: str, work: Callable[..., Any], *args: Any, limit: float | None = None) -> Any:
    """What `work(*args)` returns, called in a process of its own, which has `limit` seconds for it."""
    worker = Worker(name, _Call(work, args))
    found = worker.ask(limit)
    worker.end()
    return found


class _Call:
    def __init__(self, work: Callable[..., Any], args: tuple) -> None:
        self.work, self.args = work, args

    def __call__(self) -> Callable[[], Any]:
        return lambda: self.work(*self.args)


def serve(make: Callable[[], Callable[[], Any]], line: Connection) -> None:
    """Calls whenever it is asked to, and answers, until the asking process ends: then it does too, whatever it is doing."""
    asking = multiprocessing.parent_process()

    def watch() -> None:
        if asking is not None:
            asking.join()
        for group in GROUPS:
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    call = make()
    while True:
        try:
            line.recv()
        except (EOFError, OSError):
            return
        answer = call()
        with suppress(OSError):
            line.send(answer)
