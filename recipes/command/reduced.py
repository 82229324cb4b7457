"""What a command says where it looks at fewer pixels than a picture has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from restore.machine.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor


def say_reduced(path: Path | None, picture: Tensor, option: str) -> None:
    """One line, if the file's `picture` (C, H, W) has fewer pixels than the file: which `option` changes that."""
    from restore.data.decoding import image_size

    if path is None or not path.is_file():
        return
    stored, seen = image_size(path), (picture.shape[1], picture.shape[2])
    if seen[0] < stored[0] or seen[1] < stored[1]:
        sizes = f"from {stored[0]}x{stored[1]} to {seen[0]}x{seen[1]} pixels"
        print(printable(f"{path} is reduced {sizes}: {option} for another size"))
