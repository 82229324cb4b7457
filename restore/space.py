"""Where the walk back takes place: pixels, or what an encoder makes of them. The one place that knows the range of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Space(Protocol):
    """A frozen dataclass of plain numbers that takes images (B, C, H, W) in [-1, 1] to x and back."""

    @property
    def stride(self) -> int:
        """Pixels of an image to a cell of x, along each side: images that are encoded have sides of a multiple of it."""
        ...

    @property
    def limits(self) -> tuple[float, float] | None:
        """The range of clean x, which estimates can be clamped to; None where there is none."""
        ...

    def channels(self, image_channels: int) -> int:
        """Channels of x for an image of so many."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """x (B, C', H', W') of images (B, C, H, W)."""
        ...

    def decode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) of x, clean ones in [-1, 1]."""
        ...


@runtime_checkable
class Masking(Space, Protocol):
    """A space in which parts of an image can be told apart, so that some are kept."""

    def masked(self, mask: Tensor) -> Tensor:
        """A mask (B, 1, H, W) of what is known of pixels, of sides of a multiple of the stride, for x: (B, 1, H', W')."""
        ...


@runtime_checkable
class Fitting(Space, Protocol):
    """A space of which something is measured when a training begins."""

    @property
    def is_fitted(self) -> bool:
        """Whether all of it was measured; the folder of a run in a space that is not fitted is refused."""
        ...

    def fitted(self, images: Tensor) -> Self:
        """The same with all that is measured on training images (N, C, H, W), of sides of a multiple of the stride."""
        ...


@runtime_checkable
class Carrying(Space, Protocol):
    """A space with files of its own, which a shared run takes along."""

    def packed(self, home: Path) -> Self:
        """Copies them into `home`, where a run is put together to be shared; the same, which names them from there."""
        ...


@dataclass(frozen=True)
class Pixels:
    """x is the image itself."""

    @property
    def stride(self) -> int:
        return 1

    @property
    def limits(self) -> tuple[float, float]:
        return -1.0, 1.0

    def channels(self, image_channels: int) -> int:
        return image_channels

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, x: Tensor) -> Tensor:
        return x


SPACES = (Pixels,)
F = TypeVar("F", bound=Fitting)
MEASURED = 64
"""Images that a space is fitted to."""


def encoded(space: Space, images: Tensor) -> Tensor:
    """x of images (B, C, H, W) of any size, grown to sides that are a multiple of the stride."""
    return space.encode(whole(images, space))


def measured(space: F, images: Tensor) -> F:
    """The space with all that is measured, on the first MEASURED images (N, C, H, W) of any size."""
    return space.fitted(whole(images[:MEASURED], space))


def whole(images: Tensor, space: Space) -> Tensor:
    """images (B, C, h, w) grown to whole cells of the space."""
    height, width = (-(-side // space.stride) * space.stride for side in images.shape[-2:])
    return grown(images, (height, width))


def grown(images: Tensor, size: tuple[int, int]) -> Tensor:
    """images (B, C, h, w), their last row and column repeated up to (B, C, *size)."""
    if tuple(images.shape[-2:]) == size:
        return images
    room = (0, size[1] - images.shape[-1], 0, size[0] - images.shape[-2])
    return torch.nn.functional.pad(images, room, mode="replicate")
