"""Where training images come from. Every draw is a function of the generator alone, so that a run can be repeated.

A source's settings are plain numbers; `open(path, device)` reads its files and gives `Batches`, which keep what fits on the
device and cut their batches there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.random import Stream, integers, seeded, uniform
from degrade.transfer import moved
from models.condition import Condition
from restore.data.batch import Batch, Batches
from restore.data.captions import Captions
from restore.data.images import ImageError, image_files, load_image
from restore.data.pictures import Partners, Pictures

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Source(Protocol):
    """Settings of a source, a frozen dataclass of plain numbers; yours too."""

    @property
    def size(self) -> int:
        """Pixels along a side of what is learned from."""
        ...

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        """Reads the file or folder at `path`. Raises ImageError with one clear line where it cannot."""
        ...

    def read(self, file: Path) -> Tensor:
        """One whole image (C, H, W), reduced as for training."""
        ...

    def middle(self, file: Path) -> Tensor:
        """What an evaluation looks at of it: all of it, or a square from its middle where training cuts squares."""
        ...


@runtime_checkable
class Pairing(Source, Protocol):
    """A source whose images can be paired with others, file by file."""

    def open(self, path: Path, device: torch.device | str = "cpu", paired: Path | None = None) -> Batches:
        """With `paired`, a folder with a picture of the same name for each below `path`, batches hold these in x1."""
        ...


@runtime_checkable
class Measuring(Source, Protocol):
    """A source of which something is measured when a training begins."""

    def fitted(self, path: Path, device: torch.device | str = "cpu") -> Self:
        """The same with all that is measured on the images at `path`."""
        ...


LEAST = 8
"""Pixels along each side of what is learned from."""
LARGEST_SQUARE = 2048
"""Pixels, of images that are cut to squares, several of which are looked at together."""


def _check(size: int, rescale: tuple[float, float]) -> None:
    if not LEAST <= size <= 65_536:
        raise ValueError(f"images of {size} pixels are too small or too large: give at least {LEAST}, at most 65536.")
    if not 0 < rescale[0] <= rescale[1] <= 8:
        raise ValueError(f"rescale is a range (low, high) with 0 < low <= high <= 8, got {rescale}.")


def _check_wide(height: int, width: int, file: Path, longer: int | None = None) -> None:
    """Raises ImageError for an image, its longer side reduced to `longer`, that is too narrow."""
    if min(height, width) < LEAST:
        seen = "is seen as" if max(height, width) == longer else "has"
        raise ImageError(
            f"{file} {seen} {height} x {width} pixels, too few to work with: expected sides of at least {LEAST}. "
            + ("Cut its longer side, or choose a larger --data.size." if longer else "Enlarge it, or choose another image.")
        )


def _photograph(file: Path, size: int) -> Tensor:
    """One photograph (C, H, W), its longer side reduced to `size`. Raises ImageError if that is too narrow."""
    image = load_image(file, size)
    _check_wide(image.shape[1], image.shape[2], file, size)
    return image


@dataclass(frozen=True)
class OneImage:
    """One photograph, H and W rescaled independently for each batch (SinDiffusion, arXiv 2211.12445).

    For want of another image, mixing mixes in the photograph rotated by 180 degrees.
    """

    size: int = 250
    """The longer side is reduced to this, pixels."""
    rescale: tuple[float, float] = (0.75, 1.25)
    """Factors of H and W are uniform in this range (bicubic, no antialiasing)."""
    multiple: int = 4
    """Sides are rounded down to a multiple of this, and of the network's stride."""

    def __post_init__(self) -> None:
        _check(self.size, self.rescale)
        bounded(self, multiple=(1, 1024))

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        image = self.read(path)[None].to(device)
        low, high = self.rescale

        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            factors = low + (high - low) * uniform((2,), generator)
            shape = [
                max(self.multiple, int(side * factor) // self.multiple * self.multiple)
                for side, factor in zip(image.shape[-2:], factors.tolist(), strict=True)
            ]
            x = torch.nn.functional.interpolate(image, shape, mode="bicubic", align_corners=False)
            return Batch(x.expand(len(range(count)[shard]), -1, -1, -1))

        def rotated(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            return Batch(draw(count, generator, shard).x0.flip(-1, -2))

        return Batches(draw, image, rotated)

    def read(self, file: Path) -> Tensor:
        """The image with its longer side reduced to `size`."""
        return _photograph(file, self.size)

    def middle(self, file: Path) -> Tensor:
        return self.read(file)


@dataclass(frozen=True)
class Crops:
    """Crops of one photograph, each of its own independent rescaling of H and W (never to less than the crop)."""

    size: int = 128
    """The longer side is reduced to this, pixels."""
    crop: int = 64
    """Side of the crops, pixels; no larger than the image."""
    rescale: tuple[float, float] = (0.75, 1.25)
    """Factors of H and W are uniform in this range (bicubic, no antialiasing)."""
    multiple: int = 4
    """Sides of the crops are rounded down to a multiple of this, and of the network's stride: padding is not to be learned."""

    def __post_init__(self) -> None:
        _check(self.size, self.rescale)
        bounded(self, multiple=(1, 1024), crop=(0, 65_536))
        if self.crop < LEAST:
            raise ValueError(f"crops of {self.crop} pixels are too small: give at least {LEAST}.")

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        image = self.read(path)[None].to(device)
        sides = torch.tensor(image.shape[-2:])
        crop = (sides.clamp(max=self.crop) // self.multiple * self.multiple).clamp(min=self.multiple)
        height, width = crop.tolist()
        low, high = self.rescale

        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            u = uniform((count, 2, 2), generator)[shard]
            rescaled = (sides * (low + (high - low) * u[..., 0])).round().maximum(crop)  # (B, 2): H', W'
            corner = (u[..., 1] * (rescaled - crop + 1)).floor()
            place, scale = moved(torch.stack([corner, rescaled]), device)

            def positions(axis: int, side: int) -> Tensor:
                """Pixel i of the crop is pixel corner + i of the rescaled image; in grid_sample's coordinates [-1, 1]."""
                pixel = torch.arange(side, device=place.device)
                return 2 * (place[:, axis, None] + pixel + 0.5) / scale[:, axis, None] - 1

            y, x = positions(0, height)[:, :, None], positions(1, width)[:, None, :]
            grid = torch.stack(torch.broadcast_tensors(x, y), -1)
            whole = image.expand(len(u), -1, -1, -1)
            crops = torch.nn.functional.grid_sample(whole, grid, mode="bicubic", padding_mode="border", align_corners=False)
            return Batch(crops)

        return Batches(draw, image)

    def read(self, file: Path) -> Tensor:
        """The image with its longer side reduced to `size`."""
        return _photograph(file, self.size)

    def middle(self, file: Path) -> Tensor:
        return self.read(file)


@dataclass(frozen=True)
class Folder:
    """All images below a folder, each reduced, then cut at random to size x size."""

    size: int = 64
    """Side of the training images, pixels."""
    reduce: int = 0
    """The shorter side of each image is reduced to this before it is cut; 0: to `size`."""
    channels: Literal[1, 3] = 3
    """Grey or RGB."""
    flip: bool = False
    """Whether every other image, at random, is mirrored left to right."""
    labelled: bool = False
    """Whether the folder that an image lies in is its class."""
    captions: bool = False
    """Whether images have captions: the lines of a .txt beside each, or of captions.csv (file,caption)."""
    strict: bool = False
    """Whether a file that cannot be read ends the run; else it is skipped, with a warning, and counted."""

    def __post_init__(self) -> None:
        _check(self.size, (1, 1))
        bounded(self, size=(8, LARGEST_SQUARE))
        if self.channels not in (1, 3):
            raise ValueError(f"images have 1 or 3 channels, got {self.channels}.")
        if self.reduce and not self.size <= self.reduce <= 65_536:
            raise ValueError(f"reduce is at least the size of the cut, {self.size}, or 0; got {self.reduce}.")

    def open(self, path: Path, device: torch.device | str = "cpu", paired: Path | None = None) -> Batches:
        pictures = Pictures(image_files(path), self.read, self.strict)
        partners = None if paired is None else Partners(path, pictures.files, paired, self._reduced, self.channels)
        classes = tuple(sorted({file.parent.name for file in pictures.files})) if self.labelled else ()
        captions = Captions(path, pictures.files) if self.captions else None

        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            index = integers(len(pictures.files), (count,), generator)[shard]
            u = uniform((count, 3), generator)[shard]
            drawn = [pictures[i] for i in index.tolist()]
            x0 = moved(self._cuts([picture.image for picture in drawn], u), device)
            x1 = () if partners is None else (moved(self._cuts([partners[p.file] for p in drawn], u), device),)
            condition = Condition()
            if captions is not None:
                lines, v = [captions[picture.file] for picture in drawn], uniform((count,), generator)[shard].tolist()
                condition = Condition.written(*(line[int(place * len(line))] for line, place in zip(lines, v, strict=True)))
            if classes:
                label = torch.tensor([classes.index(picture.file.parent.name) for picture in drawn])
                condition = condition._replace(label=label)
            return Batch(x0, condition.map(lambda part: moved(part, device)), x1)

        few = max(16, 2**24 // (self.channels * self.size**2))  # 64 MiB of float32
        order = torch.randperm(len(pictures.files), generator=seeded(0, Stream.TEST))[: min(few, 256)]
        shown, middle = [pictures[i] for i in order.tolist()], torch.full((len(order), 3), 0.5)
        images = self._cuts([picture.image for picture in shown], middle).to(device)
        known = None if partners is None else self._cuts([partners[p.file] for p in shown], middle).to(device)
        some = () if captions is None else captions.some(16)
        return Batches(draw, images, skipped=pictures.skipped, classes=classes, paired=known, captions=some)

    def read(self, file: Path) -> Tensor:
        """The reduced image (C, H, W), H and W at least `size`."""

        return load_image(file, lambda height, width: self._reduced(file, height, width), self.channels).clamp(-1, 1)

    def middle(self, file: Path) -> Tensor:
        """The middle of the reduced image (C, size, size)."""
        return self._cut(self.read(file), torch.full((3,), 0.5))

    def _reduced(self, file: Path, height: int, width: int) -> tuple[int, int]:
        """What the height and width of the picture in `file` become."""
        _check_wide(height, width, file)
        shorter = min(height, width)
        scale = (self.reduce or self.size) / shorter
        if self.reduce and scale > 1:
            scale = max(1.0, self.size / shorter)  # not enlarged, unless it is too small to cut
        return max(self.size, round(height * scale)), max(self.size, round(width * scale))

    def _cuts(self, images: list[Tensor], u: Tensor) -> Tensor:
        """A square of each, by the rows of u (B, 3)."""
        return torch.stack([self._cut(image, place) for image, place in zip(images, u, strict=True)])

    def _cut(self, x: Tensor, u: Tensor) -> Tensor:
        """The square whose place, and whether it is mirrored, are read off u (3,) in [0, 1)."""
        top, left = (u[:2] * (torch.tensor(x.shape[-2:]) - self.size + 1)).long().tolist()
        y = x[:, top : top + self.size, left : left + self.size]
        return y.flip(-1) if self.flip and float(u[2]) > 0.5 else y


SOURCES = (OneImage, Crops, Folder)
"""The sources that a checkpoint may name."""
