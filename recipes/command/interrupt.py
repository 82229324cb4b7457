"""Ctrl-C ends a program in one line, whenever it comes: imported first of all, before what takes time to load."""

from __future__ import annotations

import sys
from types import TracebackType


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python says of an error that nothing caught: of Ctrl-C one word (Python then exits with the shell's status 130)."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end
