"""What is written of the images of a folder: in a text file beside each, or in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.condition import LONGEST
from restore.data.images import ImageError
from restore.data.tables import read_table, read_text

TABLE = "captions.csv"
"""In the folder of the images: a line `file,caption` for each caption, file relative to the folder."""


class Captions:
    """`captions[file]` are the captions of an image, at least one.

    Those of folder/a/b.png are the lines of folder/a/b.txt, or of the table. Raises ImageError, in one line, where an image has
    none, and for captions of more than LONGEST bytes.
    """

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        table = _table(folder) if (folder / TABLE).is_file() else None
        self.lines: dict[Path, tuple[str, ...]] = {}
        for file in files:
            lines = table.get(file.relative_to(folder), ()) if table is not None else _lines(file.with_suffix(".txt"))
            if not lines:
                where = f"{folder / TABLE} has no line of it" if table is not None else f"{file.with_suffix('.txt')} is missing"
                raise ImageError(f"{file} has no caption ({where}, or empty): write one, or leave out captions.")
            long = next((line for line in lines if len(line.encode()) > LONGEST), None)
            if long is not None:
                raise ImageError(f"a caption of {file} is longer than {LONGEST} bytes: {long[:60]}...")
            self.lines[file] = tuple(lines)

    def __getitem__(self, file: Path) -> tuple[str, ...]:
        return self.lines[file]

    def some(self, count: int) -> tuple[str, ...]:
        """Captions of `count` images at the most, evenly spread over the files."""
        files = list(self.lines)
        chosen = files[:: max(1, -(-len(files) // count))]
        return tuple(dict.fromkeys(self.lines[file][0] for file in chosen))


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()] if path.is_file() else []


def _table(folder: Path) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    path = folder / TABLE
    for number, row in read_table(path):
        if len(row) != 2:
            raise ImageError(f"line {number} of {path} has {len(row)} fields: expected file,caption (quote commas).")
        if row[1]:
            found.setdefault(Path(row[0]), []).append(row[1])
    return found
