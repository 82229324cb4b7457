"""The posterior mean of a noisy patch over all known ones: attention, for a GPU, where arithmetic is cheaper than choosing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from restore.patches.bank import LEAST_STD

HALF, SPLIT = 0.1, 0.01
"""Noise from which on 16 bits tell patches apart, logits of up to |k|^2 / (2 std^2) being right to a few hundredths, for keys
of numbers of up to COLOUR, and for larger ones from so many times as much; and from which on twice 16 bits do, 22 digits in
all."""
COLOUR = 2.0
"""Largest number of a key of colours: where patches lie is told by larger ones (restore/patches/places.py)."""
UNIT = 64.0
"""By which queries and biases, numbers too large for 16 bits, are divided, and what they meet multiplied."""
MOST = 1.5e4
"""Largest bias by a key's largest number, in UNITs: a quarter of what 16 bits hold, for its other numbers."""
LOGITS = 2**28
"""At a time in float32, at most."""


class Dense:
    """Keys (N, D), what a patch looks like degraded, with values (N, V), the patch itself; every query meets all of them.

        E[value | q] = softmax_k(2 p gain q.k - p gain^2 |k|^2) v,    p = 1/(2 std^2)

    with the second term as further dimensions of the keys, whose queries are 1. From `SPLIT` noise on in float16, by a kernel
    that adds up in float32 and stores no logits; numbers are split into what 16 bits hold and what they leave: the second term
    always, from `HALF` noise down all others too,

        q.k = q1.k1 + q2.k1 + q1.k2,    x1 = half(x), x2 = half(x - x1).

    Below `SPLIT`, or where biases exceed `MOST`, in float32, in blocks of queries. docs/benchmarks.md, "Dense attention by
    arithmetic", counts what that costs.
    """

    def __init__(self, keys: Tensor, values: Tensor, largest: float = COLOUR) -> None:
        """largest: number of a key, at most; it is told, for nothing here waits for the device."""
        self.centre = keys.mean(0)  # subtracted, so that the digits of small differences stay
        self.keys, self.values = keys - self.centre, values.to(keys)
        self.squares = self.keys.square().sum(1)
        self.largest = largest

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value | query] (Q, V) for queries (Q, D) = gain key + std noise."""
        std = max(std, LEAST_STD)
        precision = 1 / (2 * std**2)
        scaled = 2 * precision * gain * (queries.to(self.keys) - gain * self.centre)
        bias = -precision * gain**2 * self.squares
        held = std >= SPLIT and precision * gain**2 * self.largest**2 <= MOST * UNIT
        split = std < HALF * max(1.0, self.largest / COLOUR)
        found = self._half(scaled, bias, split) if held else self._full(scaled, bias)
        return found.to(queries)

    def _half(self, queries: Tensor, bias: Tensor, split: bool) -> Tensor:
        q1, q2 = halves(queries / UNIT)
        k1, k2 = halves(self.keys * UNIT)
        ones = torch.full_like(q1[:, :2], UNIT)
        sides = ([q1, q2, q1, ones], [k1, k1, k2, *halves(bias[:, None] / UNIT)])
        if not split:
            sides = ([q1, ones], [k1, *halves(bias[:, None] / UNIT)])
        of_queries, of_keys = (_even(torch.cat(side, 1)) for side in sides)
        found = scaled_dot_product_attention(
            of_queries[None, None], of_keys[None, None], _even(self.values.half())[None, None], scale=1.0
        )
        return found[0, 0, :, : self.values.shape[1]]

    def _full(self, queries: Tensor, bias: Tensor) -> Tensor:
        blocks = queries.split(max(1, LOGITS // len(bias)))
        return torch.cat([torch.addmm(bias, block, self.keys.T).softmax(1) @ self.values for block in blocks])

    @property
    def mean_value(self) -> Tensor:
        """(V,)."""
        return self.values.mean(0)


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """What 16 bits hold of x, and what they leave of it."""
    high = x.half()
    return high, (x - high).half()


def _even(x: Tensor) -> Tensor:
    """x (N, D) with zeros, to a multiple of 8 numbers, which the fast kernels ask for."""
    return pad(x, (0, -x.shape[1] % 8))
