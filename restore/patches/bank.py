"""Known patches, and the posterior mean of a noisy one: attention over those near it, and over clusters of all others."""

from __future__ import annotations

import torch
from torch import Tensor

from degrade.severity import wide_dtype
from restore.patches.clusters import Clusters, clustered

LEAST_STD = 1e-3  # below it the nearest patch wins in any case, and logits would overflow
NEGLIGIBLE = 1e-7  # share of a cluster
LOGITS = 2**26  # at a time, at most


class Bank:
    """Keys (N, D), what a patch looks like degraded, with values (N, V), the patch itself.

    `neighbours`: about how many keys each query meets; None for all of them, in float64.

    A query q meets the keys k of the clusters with the nearest means. Every other cluster counts as a whole, its n keys with
    their mean logit and mean value: log n - mean_k |q - gain k|^2 / (2 std^2), with q.k on principal components. That is exact
    at gain 0, and where there is little noise it is nothing beside the clusters that are met.
    """

    def __init__(self, keys: Tensor, values: Tensor, neighbours: int | None) -> None:
        same = values is keys
        if neighbours is None:
            keys = keys.to(wide_dtype(keys.device))
        count = len(keys)
        self.centre = keys.mean(0)  # subtracted here, and the mean of each cluster below: the digits of small differences stay
        keys = keys - self.centre
        self.clusters = Clusters.one(keys) if neighbours is None or neighbours >= count else clustered(keys)
        self.mean_keys, self.keys = self.clusters.centred(keys)
        if same:
            self.mean_values, self.values = self.mean_keys + self.centre, self.keys
        else:
            self.mean_values, self.values = self.clusters.centred(values.to(keys))
        self.squares = self.keys.square().sum(1)
        self.mean_points = self.mean_keys @ self.clusters.axes
        self.mean_squares = self.clusters.centred(keys.square().sum(1))[0]
        groups = len(self.clusters.counts)
        self.probes = min(groups, max(1, round((neighbours or count) * groups / count)))

    def mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value | query] (Q, V) for queries = gain key + std noise: softmax_k(-|q - gain k|^2 / (2 std^2)) over the keys."""
        block = max(1, LOGITS // (self.probes * int(self.clusters.counts.max())))
        parts = (self._mean(part.to(self.keys), gain, max(std, LEAST_STD)) for part in queries.chunk(-(-len(queries) // block)))
        return torch.cat([part.to(queries) for part in parts])

    def _mean(self, queries: Tensor, gain: float, std: float) -> Tensor:
        """E[value] = sum over clusters of share (mean value + E[value - mean value | cluster]), the latter of those met."""
        precision = 1 / (2 * std**2)
        queries = queries - gain * self.centre
        nearness = 2 * gain * (queries @ self.clusters.axes) @ self.mean_points.T
        probed = (nearness - gain**2 * self.mean_points.square().sum(1)).topk(self.probes, 1).indices
        distance = queries.square().sum(1, keepdim=True) - nearness + gain**2 * self.mean_squares
        logits = self.clusters.counts.log() - precision * distance
        met = []
        for cluster, who, keys in self.clusters.groups(probed):
            rest = queries[who] - gain * self.mean_keys[cluster]
            inner = torch.addmm(
                self.squares[keys], rest, self.keys[keys].T, beta=-precision * gain**2, alpha=2 * precision * gain
            )
            most = inner.amax(1)
            weight = torch.exp(inner - most[:, None])
            total = weight.sum(1)
            logits[who, cluster] = most + total.log() - precision * torch.linalg.vector_norm(rest, dim=1).square()
            met.append((cluster, who, keys, weight, total))
        shares = logits.softmax(1)
        out = queries.new_zeros(len(queries), self.values.shape[1])
        far = shares.scatter(1, probed, 0.0)
        some = (far.sum(1) > NEGLIGIBLE).nonzero()[:, 0]
        out[some] = far[some] @ self.mean_values
        for cluster, who, keys, weight, total in met:
            share = shares[who, cluster]
            some = (share > NEGLIGIBLE).nonzero()[:, 0]
            share = share[some, None]
            weight = weight[some] * (share / total[some, None])
            out[who[some]] += torch.addmm(share * self.mean_values[cluster], weight, self.values[keys])
        return out

    @property
    def mean_value(self) -> Tensor:
        """(V,)."""
        return self.clusters.counts.to(self.mean_values) @ self.mean_values / len(self.keys)
