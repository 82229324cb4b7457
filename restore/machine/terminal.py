"""What is shown on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text`, which may hold a stranger's names, without what a terminal would obey: "?" in place of control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def counted(count: int, what: str = "image") -> str:
    """So many of something: 1 image, 2 images."""
    return f"{count} {what}{'' if count == 1 else 's'}"
