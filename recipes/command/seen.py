"""What a command says where it sees something else than a picture's file holds: fewer pixels, or white behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from restore.machine.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor


OF_A_RUN = "a run trained with another --data.size, or another published model,"


def say_seen(path: Path | None, picture: Tensor, option: str) -> None:
    """A line, if the file's `picture` (C, H, W) has fewer pixels than the file: which `option` changes that; and one, if the
    file can be seen through."""
    from restore.data.decoding import image_size, translucent

    if path is None or not path.is_file():
        return
    stored, seen = image_size(path), (picture.shape[1], picture.shape[2])
    if seen[0] < stored[0] or seen[1] < stored[1]:
        sizes = f"from {stored[0]}x{stored[1]} to {seen[0]}x{seen[1]} pixels"
        print(printable(f"{path} is reduced {sizes}: {option} for another size"))
    if translucent(path):
        print(printable(f"{path} can be seen through: it is taken as it looks on white"))
