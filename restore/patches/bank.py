"""Known patches, and the posterior mean of a noisy one: attention over them, far ones in clusters."""

from __future__ import annotations

import torch
from torch import Tensor

from degrade.severity import wide_dtype
from restore.patches.clusters import Clusters, clustered

LEAST_STD = 1e-3  # below it the nearest patch wins in any case, and logits would overflow
NEGLIGIBLE = 1e-7  # weight of a cluster
LOGITS = 2**25  # at a time


class Bank:
    """Keys (N, D), what a patch looks like degraded, with values (N, V), the patch itself.

    `neighbours`: about how many keys each query meets; None for all of them, in float64.

    A query q meets the keys of the clusters whose means m are nearest. Every other cluster, of n keys, is one key, with the
    mean of its keys' logits and n times the weight: log n - (|q - gain m|^2 + gain^2 mean|k - m|^2) / (2 std^2). At gain 0
    that is exact, and where there is little noise it hardly counts.
    """

    def __init__(self, keys: Tensor, values: Tensor, neighbours: int | None) -> None:
        same = values is keys
        if neighbours is None:
            keys = keys.to(wide_dtype(keys.device))
        count = len(keys)
        self.centre = keys.mean(0)  # subtracted for the digits of small differences
        keys = keys - self.centre
        self.clusters = Clusters.one(keys) if neighbours is None or neighbours >= count else clustered(keys)
        self.mean_keys, self.keys = self.clusters.centred(keys)
        if same:
            self.mean_values, self.values = self.mean_keys + self.centre, self.keys
        else:
            self.mean_values, self.values = self.clusters.centred(values.to(keys))
        self.squares = self.keys.square().sum(1)
        self.spread, _ = self.clusters.centred(self.squares)
        groups = len(self.clusters.counts)
        self.probes = min(groups, max(1, round((neighbours or count) * groups / count)))

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value | query] (Q, V) for queries = gain key + std noise: softmax_k(-|q - gain k|^2 / (2 std^2)) over the keys."""
        block = max(1, LOGITS // (self.probes * int(self.clusters.counts.max())))
        parts = (self._mean(part.to(self.keys), gain, max(std, LEAST_STD)) for part in queries.split(block))
        return torch.cat([part.to(queries) for part in parts])

    def _mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value] = sum_c w_c (mean value of cluster c + E[value - it | c]), the second term for those that are met."""
        precision = 1 / (2 * std**2)
        queries = queries - gain * self.centre
        distance = torch.addmm(self.mean_keys.square().sum(1), queries, self.mean_keys.T, beta=gain**2, alpha=-2 * gain)
        probed = distance.topk(self.probes, 1, largest=False).indices
        distance += queries.square().sum(1, keepdim=True) + gain**2 * self.spread
        whole = self.clusters.counts.log() - precision * distance  # log weight of each cluster
        met = []
        for cluster, who, keys in self.clusters.groups(probed):
            rest = queries[who] - gain * self.mean_keys[cluster]
            logits = torch.addmm(
                self.squares[keys], rest, self.keys[keys].T, beta=-precision * gain**2, alpha=2 * precision * gain
            )
            most = logits.amax(1, keepdim=True)
            weight = torch.exp(logits - most)
            total = weight.sum(1)
            whole[who, cluster] = most[:, 0] + total.log() - precision * torch.linalg.vector_norm(rest, dim=1).square()
            met.append((cluster, who, keys, weight, total))
        share = whole.softmax(1)
        out = share @ self.mean_values
        for cluster, who, keys, weight, total in met:
            part = share[who, cluster]
            some = (part > NEGLIGIBLE).nonzero()[:, 0]
            out[who[some]] += (weight[some] * (part / total)[some, None]) @ self.values[keys]
        return out

    def overall(self, side: int, like: Tensor) -> Tensor:
        """The mean colour of all values, as an image like `like` (B, C, H, W)."""
        mean = self.clusters.counts.to(self.mean_values) @ self.mean_values / len(self.keys)
        colour = mean.to(like).reshape(-1, side * side).mean(1)
        return colour[None, :, None, None].expand_as(like)
