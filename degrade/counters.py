"""Random numbers by counter: number n of a stream is a function of the stream's key and n, so that a whole batch is drawn at
once, and the same on every device.

    x_n = mix(key XOR mix(n gamma)),   n = 1, 2, ...

with mix and gamma of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA, fig. 17;
mix: Stafford's variant 13). mix is a bijection of 64 bits, so a stream of 2^64 numbers holds each once; mix(n gamma) alone is
SplitMix64 from the seed 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

GAMMA = 0x9E3779B97F4A7C15
AT_ONCE = 2**17
"""Numbers that a CPU makes at a time, of whole streams: they stay in its cache."""


class Counters(Sequence["Counters"]):
    """Streams of random numbers, one for each of B samples, that go on from draw to draw.

    keys: (B,) int64, on the device that is drawn on. Uniform numbers have 24 bits; normal ones come from pairs of them by Box
    and Muller's method, and lie within +- 5.8. Those of two devices are made of the same bits, and differ by rounding.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.drawn = keys, 0

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Counters:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(f"stream {index} of {len(self)}.")
        return Counters(self.keys[index : index + 1 or None])

    def words(self, count: int) -> Tensor:
        """The next `count` numbers of each stream (B, count): 64 bits, as int64."""
        first, self.drawn = self.drawn, self.drawn + count
        return _mixed(self.keys[:, None] ^ _numbers(first + count, self.keys.device)[first:])

    def halves(self, count: int) -> tuple[Tensor, Tensor]:
        """24 bits of each half of the next `count` words, as float32 in [0, 2^24): twice (B, count)."""
        words = self.words(count)
        return _right(words, 40).float(), (words & (2**24 - 1)).float()

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Float32 in [0, 1), of `shape` (B, ...)."""

        def draw(streams: Counters, count: int) -> Tensor:
            return torch.cat(streams.halves(-(-count // 2)), 1).mul_(2.0**-24)

        return self._drawn(draw, shape)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal float32 of `shape` (B, ...)."""

        def draw(streams: Counters, count: int) -> Tensor:
            u, v = streams.halves(-(-count // 2))
            radius = u.add_(1).mul_(2.0**-24).log_().mul_(-2).sqrt_()
            angle = v.mul_(2 * math.pi * 2.0**-24)
            return torch.cat([radius * angle.cos(), radius * angle.sin_()], 1)

        return self._drawn(draw, shape)

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        """int64 in [0, high), high at most 2^31, of `shape` (B, ...): floor(high w / 2^32), w the upper half of a word."""
        return self._drawn(lambda streams, count: _right(_right(streams.words(count), 32) * high, 32), shape)

    def _drawn(self, draw: Draw, shape: Sequence[int]) -> Tensor:
        if len(self) != shape[0]:
            raise ValueError(f"{len(self)} streams for a batch of {shape[0]}: pass one for each sample.")
        count = math.prod(shape[1:])
        rows = max(1, AT_ONCE // max(1, count)) if self.keys.device.type == "cpu" else max(1, len(self))
        parts = []
        for keys in self.keys.split(rows):
            streams = Counters(keys)
            streams.drawn = self.drawn
            parts.append(draw(streams, count)[:, :count])
        self.drawn = streams.drawn
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(tuple(shape))


if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[Counters, int], Tensor]


def _numbers(count: int, device: torch.device) -> Tensor:
    """mix(n gamma) for n = 1, ..., count: (count,)."""
    return _table(1 << max(0, count - 1).bit_length(), device)[:count]


@lru_cache(maxsize=4)
def _table(count: int, device: torch.device) -> Tensor:
    return _mixed(torch.arange(1, count + 1, device=device) * _signed(GAMMA))


def _mixed(z: Tensor) -> Tensor:
    """mix of z, int64, in its place."""
    z = z.bitwise_xor_(_right(z, 30)).mul_(_signed(0xBF58476D1CE4E5B9))
    z = z.bitwise_xor_(_right(z, 27)).mul_(_signed(0x94D049BB133111EB))
    return z.bitwise_xor_(_right(z, 31))


def _right(z: Tensor, bits: int) -> Tensor:
    """z shifted right, zeros coming in."""
    return (z >> bits).bitwise_and_(2 ** (64 - bits) - 1)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
