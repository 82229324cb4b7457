"""Randomness that can be repeated: generators derived from a tuple of integers, draws that know their own seed.

A draw takes one generator for a whole batch (training), or one for each sample (sampling): with the latter a sample
depends on its own seed alone, not on its place in the batch or on the batch's size. A `Field` goes further: each pixel's
draw depends on its place in an image, not on the window that is looked at. Draws are made on the device of their
generator: CPU generators, the default for sampling, give the same images on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Random


def seeded(*words: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that is a function of `words` (integers >= 0), such as (seed, rank, step)."""
    from numpy.random import SeedSequence

    if any(word < 0 for word in words):
        raise ValueError(f"seeds are integers >= 0, got {words}.")
    return torch.Generator(device).manual_seed(int(SeedSequence(words).generate_state(1)[0]))


def seeds(first: int, count: int) -> list[torch.Generator]:
    """One generator for each of `count` samples: sample i has the seed first + i."""
    return [seeded(first + i) for i in range(count)]


class Field:
    """Randomness by place: draws for a window of one image, each pixel's a function of `words` and of where it lies.

    The n-th draw of one Field is another than the first, and the same as the n-th draw of any other window's.
    """

    BLOCK = 64

    def __init__(self, words: Sequence[int], top: int, left: int) -> None:
        if top < 0 or left < 0:
            raise ValueError(f"a window lies within its image, got one at row {top}, column {left}.")
        self.words, self.top, self.left, self.drawn = tuple(words), top, left, 0

    def draw(self, one: Callable, shape: Sequence[int]) -> Tensor:
        """`one(shape, generator, device)` for each block of 64 x 64 pixels that the window (B, C, H, W) touches."""
        *outer, height, width = shape
        b = self.BLOCK
        first_row, first_column = self.top // b, self.left // b
        rows = range(first_row, (self.top + height - 1) // b + 1)
        columns = range(first_column, (self.left + width - 1) // b + 1)
        words = (*self.words, self.drawn)
        self.drawn += 1
        blocks = [torch.cat([one((*outer, b, b), seeded(*words, i, j), "cpu") for j in columns], -1) for i in rows]
        top, left = self.top - first_row * b, self.left - first_column * b
        return torch.cat(blocks, -2)[..., top : top + height, left : left + width]


def normal(shape: Sequence[int], generator: Random = None) -> Tensor:
    """Standard normal float32 draws of `shape` (B, ...), on the generator's device."""
    return _draw(lambda s, g, d: torch.randn(s, generator=g, device=d), shape, generator)


def uniform(shape: Sequence[int], generator: Random = None) -> Tensor:
    """Uniform float32 draws in [0, 1) of `shape` (B, ...), on the generator's device."""
    return _draw(lambda s, g, d: torch.rand(s, generator=g, device=d), shape, generator)


def integers(high: int, shape: Sequence[int], generator: Random = None) -> Tensor:
    """Uniform int64 draws in [0, high) of `shape` (B, ...), on the generator's device."""
    return _draw(lambda s, g, d: torch.randint(high, s, generator=g, device=d), shape, generator)


def _draw(one: Callable, shape: Sequence[int], generator: Random) -> Tensor:
    if generator is None:
        return one(tuple(shape), None, "cpu")
    if isinstance(generator, torch.Generator):
        return one(tuple(shape), generator, generator.device)
    if isinstance(generator, Field):
        return generator.draw(one, shape)
    if len(generator) != shape[0]:
        raise ValueError(f"{len(generator)} generators for a batch of {shape[0]}: pass one for each sample, or a single one.")
    return torch.stack([one(tuple(shape[1:]), g, g.device) for g in generator])
