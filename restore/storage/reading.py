"""Files of a checkpoint, which may be a stranger's: ordinary ones alone, of sizes that are checked before they are read."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

from restore.machine.memory import free_memory, readable

LARGEST_JSON = 2**20
LARGEST_HEADER = 2**23
"""Of a safetensors file: tens of thousands of tensors."""


class CheckpointError(ValueError):
    """A run folder without a usable checkpoint; the message says what is wrong and what to do."""


def size(path: Path) -> int:
    """The size of a regular file; CheckpointError for anything else."""
    try:
        status = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): the checkpoint is incomplete.") from None
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not an ordinary file: the checkpoint is not one of this project.")
    return status.st_size


def text(path: Path) -> str:
    """The content of a small text file."""
    if size(path) > LARGEST_JSON:
        raise CheckpointError(f"{path} takes {readable(size(path))}: too large for what it should be.")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from None


def sha256(path: Path) -> str:
    """The sum of a regular file."""
    size(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_size(path: Path) -> None:
    """Raises CheckpointError for a safetensors file, or a header of one, of more than there is memory for, or sense in."""
    if size(path) > free_memory():
        raise CheckpointError(f"{path} takes {readable(size(path))}, and {readable(free_memory())} of memory are free.")
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if LARGEST_HEADER < header < size(path):
        raise CheckpointError(f"{path} claims a header of {readable(header)}: more than any network's, or broken.")


def opened(path: Path) -> Any:
    """The safetensors file, its header read and checked against the file's size."""
    from safetensors import SafetensorError, safe_open

    check_size(path)
    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        of_run = path.parent.name.startswith("step-")
        instead = f"Remove {path.parent} to go back to the checkpoint before it." if of_run else "Get it again."
        raise CheckpointError(f"{path} is broken ({reason}). {instead}") from None
