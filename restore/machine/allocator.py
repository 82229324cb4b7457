"""Memory that the process keeps, instead of asking the system for it again at every step."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import lru_cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8  # of glibc's malloc.h
LARGE = 2**30


@lru_cache
def keep_freed_memory() -> bool:
    """Lets glibc keep the blocks of activations that are freed; True where that could be set.

    By default it returns large blocks to the system at once, which fills the next ones with zeros page by page: a fifth of a
    training step on a CPU (benchmarks/training_step.py). One arena, since the backward pass frees in another thread.
    """
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        wanted = {M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: 2 * LARGE - 1, M_TOP_PAD: LARGE // 16, M_ARENA_MAX: 1}
        done = [mallopt(name, value) for name, value in wanted.items()]
        return done == [1] * len(wanted)
    return False


def return_freed_memory() -> None:
    """Gives blocks that are free back to the system, where glibc has kept them."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
