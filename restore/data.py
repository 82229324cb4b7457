"""Where training images come from. Every draw is a function of the generator alone, so that a run can be repeated.

A source's settings are plain numbers; `open(path, device)` reads its files and gives `Batches`, which keep what fits on the
device and cut their batches there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Union

from degrade.lazy import torch
from degrade.random import integers, uniform
from restore.images import image_files, load_image

if TYPE_CHECKING:
    from torch import Tensor


class Batches(NamedTuple):
    """An opened source: `draw(count, generator)` -> (count, C, H, W) in [-1, 1], and clean `images` to look at (N, C, H, W)."""

    draw: Callable[[int, torch.Generator], Tensor]
    images: Tensor


if TYPE_CHECKING:

    class Source(Protocol):
        @property
        def size(self) -> int: ...

        def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
            """Reads the file or folder at `path`. Raises ImageError with one clear line where it cannot."""
            ...


def _check(size: int, rescale: tuple[float, float]) -> None:
    if size < 8:
        raise ValueError(f"images of {size} pixels are too small: give at least 8.")
    if not 0 < rescale[0] <= rescale[1]:
        raise ValueError(f"rescale is a range (low, high) with 0 < low <= high, got {rescale}.")


@dataclass(frozen=True)
class OneImage:
    """One photograph, H and W rescaled independently for each batch (SinDiffusion, arXiv 2211.12445)."""

    size: int = 250
    """The longer side is reduced to this, pixels."""
    rescale: tuple[float, float] = (0.75, 1.25)
    """Factors of H and W are uniform in this range (bicubic, no antialiasing)."""
    multiple: int = 4
    """Sides are rounded down to a multiple of this."""

    def __post_init__(self) -> None:
        _check(self.size, self.rescale)

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        image = load_image(path, self.size)[None].to(device)
        low, high = self.rescale

        def draw(count: int, generator: torch.Generator) -> Tensor:
            factors = low + (high - low) * uniform((2,), generator)
            shape = [
                max(self.multiple, int(side * factor) // self.multiple * self.multiple)
                for side, factor in zip(image.shape[-2:], factors.tolist(), strict=True)
            ]
            x = torch.nn.functional.interpolate(image, shape, mode="bicubic", align_corners=False)
            return x.expand(count, -1, -1, -1)

        return Batches(draw, image)


@dataclass(frozen=True)
class Crops:
    """Crops of one photograph, each of its own independent rescaling of H and W (never to less than the crop)."""

    size: int = 128
    """The longer side is reduced to this, pixels."""
    crop: int = 64
    """Side of the crops, pixels; no larger than the image."""
    rescale: tuple[float, float] = (0.75, 1.25)
    """Factors of H and W are uniform in this range (bicubic, no antialiasing)."""

    def __post_init__(self) -> None:
        _check(self.size, self.rescale)
        if self.crop < 8:
            raise ValueError(f"crops of {self.crop} pixels are too small: give at least 8.")

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        image = load_image(path, self.size)[None].to(device)
        sides = torch.tensor(image.shape[-2:])
        height, width = crop = sides.clamp(max=self.crop)
        low, high = self.rescale

        def draw(count: int, generator: torch.Generator) -> Tensor:
            u = uniform((count, 2, 2), generator)
            rescaled = (sides * (low + (high - low) * u[..., 0])).round().maximum(crop)  # (count, 2): H', W'
            corner = (u[..., 1] * (rescaled - crop + 1)).floor()

            def positions(axis: int, side: Tensor) -> Tensor:
                """Pixel i of the crop is pixel corner + i of the rescaled image; in grid_sample's coordinates [-1, 1]."""
                return 2 * (corner[:, axis, None] + torch.arange(int(side)) + 0.5) / rescaled[:, axis, None] - 1

            y, x = positions(0, height)[:, :, None], positions(1, width)[:, None, :]
            grid = torch.stack(torch.broadcast_tensors(x, y), -1).to(device)
            whole = image.expand(count, -1, -1, -1)
            return torch.nn.functional.grid_sample(whole, grid, mode="bicubic", padding_mode="border", align_corners=False)

        return Batches(draw, image)


@dataclass(frozen=True)
class Folder:
    """All images below a folder, reduced so that the shorter side is `size`, cut at random to size x size."""

    size: int = 64
    """Side of the training images, pixels."""

    def __post_init__(self) -> None:
        _check(self.size, (1, 1))

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        files = image_files(path)

        @lru_cache(maxsize=max(1, 2**30 // (12 * self.size**2)))  # about 1 GiB of square float32 images
        def read(file: Path) -> Tensor:
            x = load_image(file)
            scale = self.size / min(x.shape[-2:])
            shape = [max(self.size, round(side * scale)) for side in x.shape[-2:]]
            return torch.nn.functional.interpolate(x[None], shape, mode="bicubic", antialias=scale < 1, align_corners=False)[
                0
            ].clamp(-1, 1)

        def draw(count: int, generator: torch.Generator) -> Tensor:
            batch = []
            for index in integers(len(files), (count,), generator).tolist():
                x = read(files[index])
                room = torch.tensor(x.shape[-2:]) - self.size + 1
                top, left = (uniform((2,), generator) * room).long().tolist()
                batch.append(x[:, top : top + self.size, left : left + self.size])
            return torch.stack(batch).to(device)

        return Batches(draw, draw(min(len(files), 16), torch.Generator().manual_seed(0)))


SOURCES = (OneImage, Crops, Folder)
if not TYPE_CHECKING:
    Source = Union[SOURCES]
