"""Pictures before and after an instruction, for a network that is told the one and the words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from degrade.lazy import torch
from degrade.random import Stream, seeded
from models.condition import LONGEST
from restore.data.batch import Batch, Batches
from restore.data.images import ImageError
from restore.data.sources import Folder
from restore.data.tables import read_table

BEFORE, AFTER = "before", "after"
"""The two folders: files of the same names, and in the second the instructions, a.txt beside a.png, or captions.csv."""
SHOWN = 4
"""Pictures that a preview changes."""


@dataclass(frozen=True)
class Instructions(Folder):
    """The pictures in `after`, each conditioned on an instruction and on the picture of the same name in `before`
    (InstructPix2Pix; Brooks et al. 2022, arXiv 2211.09800, section 3.2)."""

    captions: bool = True
    """Whether there are instructions."""

    def open(self, path: Path, device: torch.device | str = "cpu", paired: Path | None = None) -> Batches:
        lacking = next((name for name in (BEFORE, AFTER) if not (path / name).is_dir()), None)
        if lacking:
            raise ImageError(
                f"{path} has no folder {lacking}: instructions are two folders, before/ and after/, with pictures of the same "
                "names, and in after/ a text beside each, what was asked for."
            )
        batches = super().open(path / AFTER, device, path / BEFORE)

        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            batch = batches.draw(count, generator, shard)
            return batch._replace(condition=batch.condition._replace(image=batch.x1[0]), x1=())

        shown = draw(SHOWN, seeded(0, Stream.TEST))
        images = torch.cat([shown.x0, batches.images])
        return batches._replace(draw=draw, images=images, paired=None, told=shown.condition)


class EditLine(NamedTuple):
    before: str
    """A caption."""
    after: str
    instruction: str
    """What leads from one to the other."""


def read_edits(path: Path) -> list[EditLine]:
    """The lines before,after,instruction of a table. Raises ImageError, in one line, for one that is not of that kind."""
    rows = read_table(path)
    if rows and [cell.lower() for cell in rows[0][1]] == [*EditLine._fields]:  # names of the columns
        del rows[0]
    for number, row in rows:
        if len(row) != 3 or not all(row) or max(len(cell.encode()) for cell in row) > LONGEST:
            raise ImageError(
                f"line {number} of {path} is no edit: expected before,after,instruction, each of 1 to {LONGEST} bytes, in "
                "quotes where it has a comma."
            )
        if row[0] == row[1]:
            raise ImageError(f"line {number} of {path} changes nothing: both captions are {row[0]!r}.")
    if not rows:
        raise ImageError(f"{path} holds no edits: write a line before,after,instruction for each.")
    return [EditLine(*row) for _, row in rows]
