"""Latent spaces: where the walk takes place is what an autoencoder makes of images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, runtime_checkable

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.random import normal
from restore.autoencoder import CODECS
from restore.own_types import setting
from samplers.large.tiles import joined

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@runtime_checkable
class Codec(Protocol):
    """An autoencoder: images (B, C, H, W) in [-1, 1] to latents (B, D, H/stride, W/stride) and back."""

    @property
    def stride(self) -> int:
        """Pixels of an image to a cell, along each side."""
        ...

    @property
    def channels(self) -> int:
        """D."""
        ...

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents."""
        ...

    def decode(self, latents: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Latents:
    """x = scale (E(image) - shift), image = D(x/scale + shift) (Rombach et al. 2022, arXiv 2112.10752, appendix G).

    There is no range to clamp x to. What is larger than `tile` cells is encoded and decoded in windows, whose overlaps are
    blended: autoencoders look at the whole image here and there (group norm, attention), so it differs a little from what
    they make of it at once.
    """

    codec: Annotated[Codec, setting(Codec, CODECS)]
    """The autoencoder."""
    scale: float = 1.0
    """1/std of the codec's latents, so that x has a variance of about 1; 0: measured when a training begins."""
    shift: float = 0.0
    """Their mean."""
    tile: int = 64
    """The longest side that is encoded or decoded at once, cells of x; windows of what is larger have three quarters of it."""
    overlap: int = 8
    """Cells of x by which windows overlap on each side."""

    def __post_init__(self) -> None:
        bounded(self, scale=(0, 1e6), shift=(-1e6, 1e6), tile=(1, 65_536), overlap=(1, 4096))
        if 0 < self.scale < 1e-6:
            raise ValueError(f"scale of Latents is 1/std of the codec's latents, or 0 to measure it; got {self.scale}.")
        if 3 * self.overlap > self.tile:
            raise ValueError(f"windows of {self.tile} cells overlap by a third of that at most, got {self.overlap}.")

    @property
    def stride(self) -> int:
        return self.codec.stride

    @property
    def core(self) -> int:
        """Longest side of a window of what is larger than `tile`, less its overlaps, cells: a large picture lies beside it."""
        return max(3 * self.overlap, 3 * self.tile // 4) - 2 * self.overlap

    @property
    def limits(self) -> None:
        return None

    def channels(self, image_channels: int) -> int:
        return self.codec.channels

    def encode(self, images: Tensor, generator: Random = None) -> Tensor:
        """x of images: the most likely one, or with a generator, one for the batch or one for each, a draw."""
        stride, size = self.stride, (images.shape[-2] // self.stride, images.shape[-1] // self.stride)

        def moments(window: tuple[slice, slice]) -> Tensor:
            rows, columns = (slice(part.start * stride, part.stop * stride) for part in window)
            return torch.cat(self.codec.encode(images[..., rows, columns]), dim=1)

        mean, std = self._whole(moments, size, 1).chunk(2, dim=1)
        latents = mean if generator is None else mean + std * normal(mean.shape, generator).to(mean)
        return self.scale * (latents - self.shift)

    def decode(self, x: Tensor) -> Tensor:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        latents, stride = x / self.scale + self.shift, self.stride

        def images(window: tuple[slice, slice]) -> Tensor:
            rows, columns = (slice(part.start // stride, part.stop // stride) for part in window)
            with sdpa_kernel(SDPBackend.MATH) if x.requires_grad else nullcontext():  # others are differentiable once only
                return self.codec.decode(latents[..., rows, columns])

        return self._whole(images, (x.shape[-2] * stride, x.shape[-1] * stride), stride)

    @property
    def is_fitted(self) -> bool:
        return self.scale > 0

    def fitted(self, images: Tensor) -> Latents:
        """The same, its codec pinned to what it is now, and where `scale` is 0, 1/std of the latents of training images."""
        pinned = getattr(self.codec, "pinned", None)
        codec = self.codec if pinned is None else pinned(images.shape[1])
        if self.scale:
            return replace(self, codec=codec)
        std = float(replace(self, codec=codec, scale=1.0).encode(images).std())
        return replace(self, codec=codec, scale=round(1 / std, 6))

    def packed(self, home: Path) -> Latents:
        """The same, a trained codec copied into `home`."""
        packed = getattr(self.codec, "packed", None)
        return self if packed is None else replace(self, codec=packed(home))

    def masked(self, mask: Tensor) -> Tensor:
        """A mask (B, 1, H, W) of pixels for cells of x: 1 where all pixels of a cell are at least .5, else 0.

        So a hole of any width is one of cells too (in diffusers the pixel in the corner of a cell speaks for it)."""
        return (-torch.nn.functional.max_pool2d(-mask, self.stride) >= 0.5).to(mask)

    def _whole(self, run: Callable[[tuple[slice, slice]], Tensor], size: tuple[int, int], stride: int) -> Tensor:
        """What `run` makes of the windows of an output of `size`, `stride` of whose pixels are a cell."""
        if max(size) <= self.tile * stride:
            return run((slice(0, size[0]), slice(0, size[1])))
        return joined(run, size, self.core * stride, self.overlap * stride, stride)
