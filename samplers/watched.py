"""Walks that are watched: begun deep inside a command, each tells how far it is, and can be stopped there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[float], None]
"""Is told, after each step, the share in (0, 1] of the work that is done. What it raises ends the walk."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch | None) -> Iterator[None]:
    """Every walk that begins inside, in this thread, tells `watch` how far it is."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


@contextmanager
def part(start: float, end: float) -> Iterator[None]:
    """What walks inside is the work from `start` to `end`, shares of that outside: of several walks, each is a part."""
    whole = _watch.get()
    with watching(None if whole is None else lambda share: whole(start + share * (end - start))):
        yield


def tell(share: float) -> None:
    """Tells whoever watches that `share` of the work is done."""
    watch = _watch.get()
    if watch is not None:
        watch(share)
