"""Where a shared run lives: hf://user/run, or hf://user/run@revision."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import NamedTuple

WRITTEN = re.compile(r"hf:/+(?P<rest>.*)", re.DOTALL)
"""A path takes the second slash out of hf://user/run."""
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,95}", re.ASCII)


class Address(NamedTuple):
    repository: str
    """user/run"""
    revision: str | None = None
    """Branch, tag or commit; None for the latest."""

    def __str__(self) -> str:
        return f"hf://{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def name(self) -> str:
        """Of the run, without its user."""
        return self.repository.partition("/")[2]

    @property
    def results(self) -> Path:
        """The folder that a command writes to where it would write into the folder of a run."""
        return Path("runs") / self.repository.replace("/", "-")


def address_of(source: str | PurePath) -> Address | None:
    """The address that `source` is; None for a path of this machine. Raises ValueError in one line for one that is misspelt."""
    match = WRITTEN.fullmatch(source.as_posix() if isinstance(source, PurePath) else source)
    return None if match is None else parsed(match["rest"])


def parsed(text: str) -> Address:
    """The address that is written user/run, or user/run@revision. Raises ValueError in one line for anything else."""
    repository, at, revision = text.partition("@")
    misplaced = ".." in text or "--" in repository or repository.endswith((".", "-", ".git"))
    if misplaced or not NAME.fullmatch(repository) or (at and not REVISION.fullmatch(revision)):
        raise ValueError(f"{text[:100]!r} names no shared run: expected user/run, or user/run@revision.")
    return Address(repository, revision or None)
