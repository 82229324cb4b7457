"""Names of a published model's classes."""

from __future__ import annotations

import re
from collections import Counter

from restore.machine.terminal import printable
from restore.published.folder import INDEX, LABELS, PublishedFolder

MOST_CLASSES = 100_000
LONGEST = 200
"""Characters of a name."""


def class_names(folder: PublishedFolder, count: int) -> tuple[str, ...]:
    """The names of `count` classes, all different: a label, or the number of a class that has none. A label of several classes
    is followed by their numbers, which ask for one as well: "crane, 134" and "crane, 517".

    Raises ValueError in one line for more classes than are served, and for labels that are none, or of no class.
    """
    if count > MOST_CLASSES:
        raise ValueError(f"{folder.path} has {count} classes, at most {MOST_CLASSES} are served.")
    labels = folder.entries.get(LABELS) or {}
    place = f"{folder.path / INDEX}: {LABELS}"
    if count and not isinstance(labels, dict):
        raise ValueError(f"{place} gives the names of classes by their numbers, got {str(labels)[:40]!r}.")
    for number, label in labels.items() if count else ():
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", number) or int(number) >= count:
            raise ValueError(f"{place} names the class {number[:40]!r}, and there are {count}, which count from 0.")
        if not isinstance(label, str):
            raise ValueError(f"{place} names the class {number} {str(label)[:40]!r}, which is no text.")
    names = [_clean(labels.get(str(number), "")) or str(number) for number in range(count)]
    while len(often := Counter(names)) < count:  # once, but for labels that look like it
        names = [name if often[name] == 1 else f"{name}, {number}" for number, name in enumerate(names)]
    return tuple(names)


def _clean(label: str) -> str:
    return printable(" ".join(label.split()))[:LONGEST]
