"""The images of a folder, read when they are asked for, as many kept as memory allows; broken ones are passed over."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from restore.data.decoding import image_size
from restore.data.images import ImageError, image_files, load_image
from restore.machine.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 2**30
"""Bytes of decoded images kept."""
WARNINGS = 5
"""So many broken files are named, further ones counted only."""


class Picture(NamedTuple):
    file: Path
    image: Tensor


class Pictures:
    """`pictures[i]` is image i of `files`, as `read` decodes it, and its file; or the next one that can be read."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], Tensor], strict: bool = False) -> None:
        self.files = files
        self.read = read
        self.strict = strict
        self.skipped: dict[Path, str] = {}
        self.kept: OrderedDict[Path, Tensor] = OrderedDict()
        self.bytes = 0

    def __getitem__(self, index: int) -> Picture:
        """Raises ImageError if none can be read; with `strict`, if this one cannot."""
        for step in range(len(self.files)):
            file = self.files[(index + step) % len(self.files)]
            if file in self.kept:
                self.kept.move_to_end(file)
                return Picture(file, self.kept[file])
            if file not in self.skipped:
                try:
                    return Picture(file, self._keep(file, self.read(file)))
                except ImageError as error:
                    if self.strict:
                        raise
                    self._skip(file, str(error))
        raise ImageError(f"none of {len(self.files)} images can be read; the first: {self.skipped[self.files[0]]}")

    def _keep(self, file: Path, image: Tensor) -> Tensor:
        self.kept[file] = image
        self.bytes += image.nbytes
        while self.bytes > KEPT:
            self.bytes -= self.kept.popitem(last=False)[1].nbytes
        return image

    def _skip(self, file: Path, reason: str) -> None:
        from tqdm import tqdm

        self.skipped[file] = reason
        if len(self.skipped) <= WARNINGS:
            further = " Further broken files are counted in metrics.jsonl only." if len(self.skipped) == WARNINGS else ""
            tqdm.write(printable(f"warning: skipped an image. {reason}{further}"), file=sys.stderr)


class Partners:
    """`partners[file]` is the picture of the same name as `file`, below another folder, at the size that `file` is reduced to.

    Raises ImageError where a file has none, or its shape is another: pairs that do not match are no pairs.
    """

    def __init__(
        self,
        home: Path,
        files: Sequence[Path],
        folder: Path,
        reduced: Callable[[Path, int, int], tuple[int, int]],
        channels: int,
    ) -> None:
        if folder.resolve() == home.resolve():
            raise ImageError(f"{folder} holds both the clean and the degraded pictures: name another folder for one of them.")
        by_name = {file.relative_to(folder).with_suffix(""): file for file in image_files(folder)}
        names = {file: file.relative_to(home).with_suffix("") for file in files}
        missing = [file for file, name in names.items() if name not in by_name]
        if missing:
            further = f", nor for {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ImageError(f"{folder} has no picture {names[missing[0]]} to go with {missing[0]}{further}.")
        self.files = {file: by_name[name] for file, name in names.items()}
        self.reduced, self.channels = reduced, channels
        self.pictures = Pictures(list(self.files.values()), self._read, strict=True)
        self.places = {file: place for place, file in enumerate(self.files)}
        self.clean = {partner: file for file, partner in self.files.items()}

    def __getitem__(self, file: Path) -> Tensor:
        return self.pictures[self.places[file]].image

    def _read(self, partner: Path) -> Tensor:
        file = self.clean[partner]
        (height, width), own = image_size(file), image_size(partner)
        if not 0.98 < height * own[1] / (width * own[0]) < 1.02:
            raise ImageError(
                f"{partner} has {own[0]}x{own[1]} pixels, {file} {height}x{width}: another shape, so they are no pair. Cut "
                "them to the same part."
            )
        size = self.reduced(file, height, width)
        return load_image(partner, lambda height, width: size, self.channels).clamp(-1, 1)
