"""One training at a time in a folder: a lock that the system lets go of when its process ends, however that happens."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from degrade.files import LinkError
from restore.machine.processes import Processes
from restore.training.trainer import TrainingError

TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""What a system answers where another process has the lock; anything else says that this file system has no locks."""


@contextmanager
def locked(folder: Path, processes: Processes) -> Iterator[None]:
    """For as long as the context lasts no other run trains in `folder`, which is made. The first process has the lock for all.

    Raises, in all processes alike, TrainingError where another run does, or the folder cannot be written to; LinkError where
    the lock is a link, or no file.
    """
    handle: int | None = None
    refusal: ValueError | None = None
    if processes.is_main:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = _taken(folder / ".lock")
        except ValueError as error:
            refusal = error
        except OSError as error:
            reason = f"{folder} cannot be written to ({error.strerror}): name another folder with --out."
            refusal = TrainingError(reason)
    refusal = processes.broadcast(lambda: refusal)
    try:
        if refusal is not None:
            raise refusal
        yield
    finally:
        if handle is not None:
            with suppress(OSError):  # Windows keeps files that are open
                (folder / ".lock").unlink()
            os.close(handle)


def _taken(path: Path) -> int:
    """A handle of the locked file at `path`."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise LinkError(f"{path} is a link, or no ordinary file, and cannot be locked: remove it.")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in TAKEN:
                os.close(handle)
                raise TrainingError(
                    f"another process trains in {path.parent}: wait until it has ended, or name another folder. "
                    "Its last checkpoint can be sampled from meanwhile."
                ) from None
        with suppress(FileNotFoundError):  # its last owner has just removed it: once more
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)


if sys.platform == "win32":

    def _lock(handle: int) -> None:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:

    def _lock(handle: int) -> None:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
