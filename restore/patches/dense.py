"""The posterior mean of a noisy patch over all known ones: attention, for a GPU, where arithmetic is cheaper than choosing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from restore.patches.bank import LEAST_STD

HALF = 0.1
"""Noise from which on 16 bits tell patches apart: logits, up to |k|^2 / (2 std^2), are then right to a few hundredths."""
LOGITS = 2**28
"""At a time in float32, at most."""


class Dense:
    """Keys (N, D), what a patch looks like degraded, with values (N, V), the patch itself; every query meets all of them.

        E[value | q] = softmax_k(2 p gain q.k - p gain^2 |k|^2) v,    p = 1/(2 std^2)

    with the second term as further dimensions of the keys, whose queries are 1. From `HALF` noise on in float16, the term split
    into what 16 bits hold and what they leave, by a kernel that adds up in float32 and stores no logits; below in float32, in
    blocks of queries.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.centre = keys.mean(0)  # subtracted, so that the digits of small differences stay
        self.keys, self.values = keys - self.centre, values.to(keys)
        self.squares = self.keys.square().sum(1)

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value | query] (Q, V) for queries (Q, D) = gain key + std noise."""
        std = max(std, LEAST_STD)
        precision = 1 / (2 * std**2)
        scaled = 2 * precision * gain * (queries.to(self.keys) - gain * self.centre)
        bias = -precision * gain**2 * self.squares
        found = self._half(scaled, bias) if std >= HALF else self._full(scaled, bias)
        return found.to(queries)

    def _half(self, queries: Tensor, bias: Tensor) -> Tensor:
        high = bias.half()
        keys = torch.cat([self.keys.half(), high[:, None], (bias - high).half()[:, None]], 1)
        width = -(-max(keys.shape[1], self.values.shape[1]) // 8) * 8  # which the fast kernels ask for
        queries = pad(pad(queries.half(), (0, 2), value=1.0), (0, width - keys.shape[1]))
        keys, values = pad(keys, (0, width - keys.shape[1])), pad(self.values.half(), (0, width - self.values.shape[1]))
        found = scaled_dot_product_attention(queries[None, None], keys[None, None], values[None, None], scale=1.0)
        return found[0, 0, :, : self.values.shape[1]]

    def _full(self, queries: Tensor, bias: Tensor) -> Tensor:
        blocks = queries.split(max(1, LOGITS // len(bias)))
        return torch.cat([torch.addmm(bias, block, self.keys.T).softmax(1) @ self.values for block in blocks])

    @property
    def mean_value(self) -> Tensor:
        """(V,)."""
        return self.values.mean(0)
