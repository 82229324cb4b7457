"""What a training step takes from the data: images, what they are conditioned on, and images that they are paired with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from degrade.lazy import torch
from degrade.random import Stream, seeded
from degrade.transfer import moved
from models.condition import Condition

if TYPE_CHECKING:
    from torch import Tensor


class Batch(NamedTuple):
    """One draw of the data."""

    x0: Tensor
    """Clean images (B, C, *space) in [-1, 1]."""
    condition: Condition = Condition()
    """What they are conditioned on."""
    x1: tuple[Tensor, ...] = ()
    """Their partners (B, C, *space): one for each other image that is mixed in."""
    weight: Tensor | None = None
    """Of each image's loss (B,); None for 1."""


class Draw(Protocol):
    def __call__(self, count: int, generator: torch.Generator, shard: slice = slice(None), /) -> Batch:
        """Of `count` images, a function of the generator, those that `shard` names: they do not depend on the others."""
        ...


class Batches(NamedTuple):
    """An opened source."""

    draw: Draw
    """What to train on."""
    images: Tensor
    """Clean images to look at, and to fit a prior to (N, C, *space)."""
    others: Draw | None = None
    """Images that a mixing degradation mixes in; None for other images of the same set."""
    skipped: Mapping[Path, str] = {}
    """Files that could not be read so far, and why."""
    classes: tuple[str, ...] = ()
    """The names of the classes that labels count."""
    paired: Tensor | None = None
    """What `images` are paired with (N, C, *space)."""
    captions: tuple[str, ...] = ()
    """Some of the images' captions, where they have any."""
    told: Condition | None = None
    """What the first of `images` are conditioned on, where a preview has to tell it."""

    def at(self, seed: int, step: int, count: int, shard: slice, partners: int, device: torch.device | str) -> Batch:
        """The images `shard` of the `count` of a training step, and `partners` further images of their size for each.

        Images are drawn from (seed, DATA, step), their k-th partners from (seed, PARTNER, step, k); partners that the source
        itself pairs with its images are kept.
        """
        batch = self.draw(count, seeded(seed, Stream.DATA, step), shard)
        others = self.others or self.draw
        drawn = [others(count, seeded(seed, Stream.PARTNER, step, k), shard).x0 for k in range(0 if batch.x1 else partners)]
        x1 = batch.x1 or tuple(_of_size(y, batch.x0) for y in drawn)
        weight = None if batch.weight is None else moved(batch.weight, device)
        condition = batch.condition.map(lambda part: moved(part, device))
        return Batch(moved(batch.x0, device), condition, tuple(moved(y, device) for y in x1), weight)

    def encoded(self, encode: Callable[[Tensor], Tensor]) -> Batches:
        """The same, `encode` applied to all images that are drawn, and to pictures that are told."""

        def seen(condition: Condition) -> Condition:
            return condition if condition.image is None else condition._replace(image=encode(condition.image))

        def through(draw: Draw) -> Draw:
            def drawn(count: int, generator: torch.Generator, shard: slice = slice(None), /) -> Batch:
                batch = draw(count, generator, shard)
                x1 = tuple(map(encode, batch.x1))
                return batch._replace(x0=encode(batch.x0), condition=seen(batch.condition), x1=x1)

            return drawn

        paired = None if self.paired is None else encode(self.paired)
        told = self.told and seen(self.told)
        others = self.others and through(self.others)
        return self._replace(paired=paired, draw=through(self.draw), others=others, told=told)


def _of_size(y: Tensor, x0: Tensor) -> Tensor:
    if y.shape == x0.shape:
        return y
    if x0.ndim != 4:
        raise ValueError(
            f"partners of shape {tuple(y.shape)} are drawn for images of shape {tuple(x0.shape)}: let the source draw one size "
            "(only images (B, C, H, W) are resized)."
        )
    return torch.nn.functional.interpolate(y, x0.shape[-2:], mode="bicubic", antialias=True, align_corners=False)
