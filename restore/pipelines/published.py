"""A pipeline around a published model: words as its condition, a picture that it is told, latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from degrade.lazy import torch
from models import Condition
from restore.latents import Latents
from restore.pipelines.conditioning import Asked
from restore.pipelines.generation import Edit
from restore.pipelines.network import NetworkPipeline
from restore.space import encoded, grown
from samplers.large.tiles import joined

if TYPE_CHECKING:
    from torch import Tensor

MASKED = 5
"""Channels of the picture that an inpainting network in latents of 4 is told: a mask, and what it leaves of the picture."""


@dataclass(frozen=True, eq=False)
class Windowed:
    """A network that sees windows of x, each with its part of the picture that it is told; their outputs are blended."""

    network: Callable[..., Tensor]
    tile: int
    overlap: int
    stride: int

    def __call__(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        def output(window: tuple[slice, slice]) -> Tensor:
            picture = None if condition.image is None else condition.image[(..., *window)]
            return self.network(x[(..., *window)], t, condition._replace(image=picture))

        return joined(output, (x.shape[-2], x.shape[-1]), self.tile, self.overlap, self.stride)

    @property
    def accepts(self) -> tuple[str, ...]:
        return self.network.accepts  # type: ignore[attr-defined]

    @property
    def picture(self) -> int:
        return getattr(self.network, "picture", 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Published(NetworkPipeline):
    """A published model, which `restore.pretrained` opens."""

    told: Tensor | None = None
    """The picture (1, C, h, w) that its network is told, in x."""

    def conditions(self, numbers: range, asked: Asked = None) -> Condition:
        condition = super().conditions(numbers, asked)
        if self.told is None:
            return condition
        return condition._replace(image=self.told.expand(len(numbers), *self.told.shape[1:]))

    def told_of(self, pictures: Tensor) -> Tensor:
        """The most likely latents, without the scale that x has: so InstructPix2Pix was trained."""
        if not isinstance(self.space, Latents):
            return super().told_of(pictures)
        return encoded(replace(self.space, scale=1.0, shift=0.0), pictures.to(self.device))

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """An inpainting network is told what is known, and makes the rest: from noise, unless it begins with a picture. Of a
        picture that a network is told, each of the windows that are blended sees its own part. ValueError for windows of a
        network that works on squares: those at the edges are none."""
        network = self.restorer.network
        if edit.windows is not None and getattr(network, "squares", False):
            raise ValueError(
                f"{self.name} works on squares alone, and the windows of a panorama are none: ask for a square image without "
                "windows, or take another model."
            )
        if edit.windows is not None and "image" in self.restorer.accepts:
            cut = replace(self.restorer, network=Windowed(network, *edit.windows, self.stride))
            return replace(self, restorer=cut).prepared(size, edit._replace(windows=None))
        if getattr(network, "picture", 0) != MASKED:
            return super().prepared(size, edit)
        height, width = pixels = tuple(side * self.space.stride for side in self.padded(size))
        nothing = torch.zeros(self.size[0], height, width), torch.zeros(1, height, width)
        picture, mask = nothing if edit.known is None else edit.known
        seen = self.space.encode(grown(torch.where(mask >= 0.5, picture, 0)[None], (height, width)).to(self.device))
        hole = 1 - self.shrunk(mask.to(self.device), pixels)
        return replace(self, told=torch.cat([hole, seen], dim=1)), edit
