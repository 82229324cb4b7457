"""Walks that are watched: whoever began one deep inside a command, it tells how far it is, and can be stopped there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[float], None]
"""Is told, after each step, the share in (0, 1] of the walk that is done. What it raises ends the walk."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Every walk that begins inside, in this thread, tells `watch` how far it is."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def tell(share: float) -> None:
    """Tells whoever watches that `share` of the walk is done."""
    watch = _watch.get()
    if watch is not None:
        watch(share)
