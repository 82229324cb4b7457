"""Randomness that can be repeated: generators derived from a seed, what they are for and a place; draws from them.

A draw takes one generator for a whole batch, or one for each sample: with the latter a sample depends on its own seed
alone, not on its place in the batch or on the batch's size. A `Field` goes further: each pixel's draw depends on its place
in an image, not on the window that is looked at. Draws are made on the device of their generator: CPU generators, the
default for sampling, give the same images on every device; `Counters`, the default for training, draw a batch at once on the
device that it is needed on, and the same there as on a CPU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Union

from degrade.counters import Counters
from degrade.lazy import torch
from degrade.transfer import moved

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor

    # one for the batch, one for each of its samples, or by place
    Random = Union[Generator, Sequence[Generator], Counters, "Field", None]


class Stream(StrEnum):
    """What random numbers are for. Streams of one seed have nothing in common."""

    SAMPLE = "sample"
    """A sample, or the latent of a degraded image."""
    WALK = "walk"
    """A walk back from a measurement: none of what it was degraded with."""
    FIELD = "field"
    """By place, in images that are made in tiles."""
    WEIGHTS = "weights"
    """Those that a network starts with."""
    DATA = "data"
    """Which images a training step takes, and how they are cut."""
    PARTNER = "partner"
    """The images that are mixed in."""
    LATENT = "latent"
    """What degrades a training image."""
    SEVERITY = "severity"
    """How far training images are degraded."""
    CONDITION_DROPOUT = "label dropout"
    """Whose condition is dropped: at (step,) the label, at (step, k) another part."""
    DROPOUT = "dropout"
    """Activations that are dropped."""
    POSTERIOR = "posterior"
    """The latents that an autoencoder draws for a training image."""
    FIT = "fit"
    """Where clusters and mixtures start from."""
    TEST = "test"
    """What is chosen to look at, or to measure on."""


def check_seed(seed: int) -> None:
    """Raises ValueError for a seed out of range."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"a seed is an integer from 0 to 2^63 - 1, got {str(seed)[:40]}.")


def seeded(seed: int, stream: Stream = Stream.SAMPLE, *place: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that is a function of all of its arguments: `place` may be a step, or a step and the number of an image.

    It starts from SHAKE-128 of the text "stream/seed/place[0]/...", which no other arguments share. On a CPU that fills the
    whole state of the Mersenne Twister, of whose seed torch uses 32 bits only; elsewhere it is the key of Philox, 64 bits.
    Raises ValueError for a seed that is not within 0 to 2^63 - 1.
    """
    digest = _hashed(seed, stream, *place)
    generator = torch.Generator(device)
    if generator.device.type != "cpu":
        return generator.manual_seed(int.from_bytes(digest.digest(8), "little"))
    return generator.set_state(torch.from_numpy(_mersenne_twister(digest.digest(4 * 624))))


def counters(seed: int, stream: Stream, places: Sequence[tuple[int, ...]], device: torch.device | str = "cpu") -> Counters:
    """A stream for each of `places` on `device`, a function of (seed, stream, place): its key is as `seeded`'s for Philox."""
    keys = [int.from_bytes(_hashed(seed, stream, *place).digest(8), "little", signed=True) for place in places]
    return Counters(moved(torch.tensor(keys, dtype=torch.int64), device))


def _hashed(seed: int, stream: Stream, *place: int) -> Any:
    check_seed(seed)
    return hashlib.shake_128("/".join(map(str, (stream, seed, *place))).encode())


def _mersenne_twister(words: bytes) -> np.ndarray:
    """A state of torch's CPU generator, none of whose random numbers are drawn yet: 624 `words` of 32 bits, each in 64."""
    import numpy as np

    state = _fresh_state().copy()
    state[24 : 24 + 8 * 624].view(np.uint64)[:] = np.frombuffer(words, np.uint32)
    return state


@cache
def _fresh_state() -> np.ndarray:
    return torch.Generator().get_state().numpy()


def seeds(first: int, count: int) -> list[torch.Generator]:
    """One generator for each of `count` samples: sample i has the seed first + i."""
    return [seeded(first + i) for i in range(count)]


@contextmanager
def globally_seeded(seed: int, stream: Stream) -> Iterator[None]:
    """torch's global generator is `seeded(seed, stream)` inside, for layers that draw their own weights; then as before."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(seeded(seed, stream).get_state())
        yield


class Field:
    """Randomness by place: draws for a window of one image, each pixel's a function of `words` and of where it lies.

    `words` are a seed and, for instance, a step. The n-th draw of one Field is another than the first, and the same as the n-th
    draw of any other window's.
    """

    BLOCK = 64

    def __init__(self, words: Sequence[int], top: int, left: int) -> None:
        if top < 0 or left < 0:
            raise ValueError(f"a window lies within its image, got one at row {top}, column {left}.")
        self.seed, *self.place = words
        self.top, self.left, self.drawn = top, left, 0

    def draw(self, one: Callable, shape: Sequence[int]) -> Tensor:
        """`one(shape, generator, device)` for each block of 64 x 64 pixels that the window (B, C, H, W) touches."""
        *outer, height, width = shape
        b = self.BLOCK
        first_row, first_column = self.top // b, self.left // b
        rows = range(first_row, (self.top + height - 1) // b + 1)
        columns = range(first_column, (self.left + width - 1) // b + 1)
        place = (*self.place, self.drawn)
        self.drawn += 1

        def block(row: int, column: int) -> Tensor:
            return one((*outer, b, b), seeded(self.seed, Stream.FIELD, *place, row, column), "cpu")

        blocks = [torch.cat([block(i, j) for j in columns], -1) for i in rows]
        top, left = self.top - first_row * b, self.left - first_column * b
        return torch.cat(blocks, -2)[..., top : top + height, left : left + width]


def normal(shape: Sequence[int], generator: Random = None) -> Tensor:
    """Standard normal float32 draws of `shape` (B, ...), on the generator's device."""
    return _draw(Counters.normal, lambda s, g, d: torch.randn(s, generator=g, device=d), shape, generator)


def uniform(shape: Sequence[int], generator: Random = None) -> Tensor:
    """Uniform float32 draws in [0, 1) of `shape` (B, ...), on the generator's device."""
    return _draw(Counters.uniform, lambda s, g, d: torch.rand(s, generator=g, device=d), shape, generator)


def integers(high: int, shape: Sequence[int], generator: Random = None) -> Tensor:
    """Uniform int64 draws in [0, high) of `shape` (B, ...), on the generator's device."""
    return _draw(
        lambda streams, s: streams.integers(high, s),
        lambda s, g, d: torch.randint(high, s, generator=g, device=d),
        shape,
        generator,
    )


def _draw(many: Callable, one: Callable, shape: Sequence[int], generator: Random) -> Tensor:
    """By `many(streams, shape)` of `Counters`, else by `one(shape, generator, device)` for each generator."""
    if isinstance(generator, Counters):
        return many(generator, shape)
    if generator is None:
        return one(tuple(shape), None, "cpu")
    if isinstance(generator, torch.Generator):
        return one(tuple(shape), generator, generator.device)
    if isinstance(generator, Field):
        return generator.draw(one, shape)
    if len(generator) != shape[0]:
        raise ValueError(f"{len(generator)} generators for a batch of {shape[0]}: pass one for each sample, or a single one.")
    return torch.stack([one(tuple(shape[1:]), g, g.device) for g in generator])
