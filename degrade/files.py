"""Files that appear whole or not at all, and are written through no link.

A folder may come from a stranger, with links in place of what is to be written. So a file is made under a new name that nobody
could guess, and takes its own in the place of whatever has it: of a link, not of what that points to. The folders of a run are
not links (`subfolder`); where a user asks for a result may be one.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

PART = re.compile(r"\..*\.[0-9a-f]{16}\.part")
HOUR = 3600.0
"""What was not written to for so long was left by a crash, seconds."""


class LinkError(ValueError):
    """A link, or another thing than expected, where something is to be written; the message says which, and what to do."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to; when the context ends well it is forced to disk and takes the name `path`.

    Raises LinkError where that is a folder's.
    """
    if path.is_dir() and not path.is_symlink():
        raise LinkError(f"{path} is a folder where a file is to be written: remove it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part = beside(path)
    try:
        part.touch(exist_ok=False)  # O_EXCL: it was not there before
        yield part
        flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A name beside `path` for what is to take its place: hidden, and not to be guessed."""
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")


def subfolder(home: Path, name: str) -> Path:
    """The path of the folder `name` of `home`, which need not be there. Raises LinkError where it is a link, or no folder."""
    path = home / name
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise LinkError(f"{path} is a link, or no folder, and nothing is written through it: remove it.")
    return path


def own(path: Path, new: bool = False) -> BinaryIO:
    """The file at `path`, to read and to write in place; with `new` an empty one, in the place of what is there.

    Raises LinkError for links, files with a second name, pipes and devices; OSError where there is none.
    """
    if new:
        discard(path)
    elif not ordinary(path) or path.stat().st_nlink != 1:
        raise LinkError(f"{path} is a link, or no ordinary file, and is not written to: remove it.")
    return open(path, "x+b" if new else "r+b")


def ordinary(path: Path) -> bool:
    """Whether `path` is a file, neither link nor pipe nor device. OSError where there is nothing."""
    return stat.S_ISREG(path.lstat().st_mode)


def discard(path: Path) -> None:
    """Removes a file, a link, or a folder with all that is in it; of links nothing but themselves. Nothing, where none is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Forces the file or folder to disk, so that a rename after it cannot come first."""
    if not path.is_dir():
        with open(path, "r+b") as file:  # Windows forces only what may be written to
            os.fsync(file.fileno())
        return
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@lru_cache
def sweep(folder: Path) -> None:
    """Removes from `folder`, once, what crashes left half written."""
    with os.scandir(folder) as entries:
        left = [Path(entry) for entry in entries if PART.fullmatch(entry.name)]
    for path in left:
        with suppress(OSError):  # another process was faster
            if time.time() - path.lstat().st_mtime > HOUR:
                discard(path)
