"""Known patches, and the posterior mean of a noisy one: attention over all of them, or over those in the nearest clusters."""

from __future__ import annotations

import torch
from torch import Tensor

from degrade.severity import wide_dtype
from restore.patches.clusters import Clusters

LEAST_STD = 1e-3  # below it the nearest patch wins in any case, and logits would overflow


class Bank:
    """Keys (N, D), what a patch looks like degraded, with values (N, D), the patch itself.

    `neighbours`: about how many keys each query meets; None for all of them, in float64. Keys are centred, which changes no
    weight and keeps the digits of small differences.
    """

    def __init__(self, keys: Tensor, values: Tensor, neighbours: int | None) -> None:
        if neighbours is None:
            keys = keys.to(wide_dtype(keys.device))
        self.centre = keys.mean(0)
        same = values is keys
        keys = keys - self.centre
        if neighbours is None or neighbours >= len(keys):
            self.clusters, self.probes = None, 1
        else:
            self.clusters = Clusters(keys)
            self.probes = max(1, round(neighbours * len(self.clusters.centres) / len(keys)))
            keys = keys[self.clusters.order]
            values = keys if same else values[self.clusters.order]
        self.keys = keys
        self.values = keys if same else values.to(keys)
        self.origin = self.centre if same else torch.zeros_like(self.centre)  # of the values
        self.half = keys.square().sum(1) / 2

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value | query] (Q, D) for queries = gain key + std noise: softmax_k((gain q.k - gain^2 |k|^2 / 2) / std^2)."""
        std = max(std, LEAST_STD)
        if self.clusters is None:
            return self._over_all(queries, gain, std)
        queries = queries - gain * self.centre
        best = queries.new_full((len(queries),), -torch.inf)
        total = queries.new_zeros(len(queries))
        out = torch.zeros_like(queries)
        scaled = queries * (gain / std**2)
        bias = self.half * (gain / std) ** 2
        for group in self.clusters.groups(queries, gain, self.probes):  # softmax, one cluster after another
            who, keys = group
            logits = torch.addmm(-bias[keys], scaled[who], self.keys[keys].T)
            before = best[who]
            now = torch.maximum(before, logits.amax(1))
            weight = torch.exp(logits - now[:, None])
            kept = torch.exp(before - now)
            best[who] = now
            total[who] = total[who] * kept + weight.sum(1)
            out[who] = out[who] * kept[:, None] + weight @ self.values[keys]
        return out / total[:, None] + self.origin

    def _over_all(self, queries: Tensor, gain: float, std: float, block: int = 2048) -> Tensor:
        bias = self.half * (gain / std) ** 2
        parts = []
        for part in queries.split(block):
            scaled = (part.to(self.keys) - gain * self.centre) * (gain / std**2)
            parts.append(torch.addmm(-bias, scaled, self.keys.T).softmax(1) @ self.values + self.origin)
        return torch.cat(parts).to(queries)

    def overall(self, side: int, like: Tensor) -> Tensor:
        """The mean colour of all values, as an image like `like` (B, C, H, W)."""
        colour = (self.values.mean(0) + self.origin).to(like).reshape(-1, side * side).mean(1)
        return colour[None, :, None, None].expand_as(like)
