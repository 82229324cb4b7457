"""Where a command writes: refused before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile


def check_folder(folder: Path) -> Path:
    """`folder`, in which files can be written, or which can be made. Nothing is left there. Raises ValueError in one line."""
    try:
        if os.path.isfile(folder):
            raise ValueError(f"{folder} is a file: --out names a folder here.")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with TemporaryFile(dir=there):
            return folder
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to ({error.strerror}): name another folder with --out.") from None


def check_file(path: Path, *inputs: Path | None) -> Path:
    """`path`, where a file can be written, and which is none of `inputs`. Raises ValueError in one line."""
    if os.path.isdir(path):  # unlike pathlib, of a name that is too long too
        raise ValueError(f"{path} is a folder: --out names a file here, such as {path / 'image.png'}.")
    check_folder(path.parent)
    if path.exists() and any(one is not None and one.exists() and path.samefile(one) for one in inputs):
        raise ValueError(f"{path} is what is read: --out names another file.")
    return path


def check_made(path: Path, *inputs: Path | None) -> Path:
    """`path` of a name that the command chose, as `check_file`: a file of that name that no command wrote is not replaced."""
    if check_file(path, *inputs).exists() and not _is_result(path):
        raise ValueError(f"{path} is there, and no result of this project: name another folder with --out.")
    return path


def _is_result(path: Path) -> bool:
    """Whether it is a PNG that says what made it (restore/machine/provenance.py)."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as file:
            return "thaw" in file.info
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # no PNG, or a broken one
        return False


def first_free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def plain_stem(path: Path) -> str:
    """The name of a file without its ending, as the name of a folder: no dots at its ends, nothing a terminal would obey."""
    return "".join(c if c.isprintable() else "-" for c in path.stem).strip(". ") or "picture"


def severity_name(severity: float) -> str:
    """What results of a severity are called: severity-0.5, severity-1."""
    return f"severity-{repr(severity).removesuffix('.0')}"
