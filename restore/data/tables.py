"""Tables of words: CSV files in UTF-8."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from restore.data.images import ImageError

MOST_BYTES = 2**26
"""Of a file of words."""


def read_text(path: Path) -> str:
    """A text file in UTF-8. Raises ImageError, in one line, for one that is not, or is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ImageError(f"{path} is larger than captions are ({MOST_BYTES} bytes).")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{path} cannot be read as text in UTF-8: {error}") from None


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, and the line that each ends in; a cell of several lines is one, with spaces between them.

    Raises ImageError, in one line, for what is no table, such as quotes that are not closed.
    """
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        rows = [(reader.line_num, [" ".join(map(str.strip, cell.split("\n"))).strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ImageError(f"line {reader.line_num} of {path} is none of a table ({error}): look at its quotes.") from None
    return [(number, row) for number, row in rows if any(row)]
