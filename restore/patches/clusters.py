"""Patches in clusters, so that a query meets only those that could matter: k-means on their principal components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from degrade.random import Stream, seeded

DIMS = 24  # principal components that clusters are told apart by
ITERATIONS = 6
SAMPLE = 24  # points a cluster that the centres are found from


class Group(NamedTuple):
    """The queries (by index) that meet the keys (as a range) of one cluster."""

    cluster: int
    queries: Tensor  # (q,)
    keys: slice


class Clusters(NamedTuple):
    """N keys in K clusters, none of them empty."""

    order: Tensor  # (N,): sorts the keys by cluster
    counts: Tensor  # (K,): keys of each
    axes: Tensor  # (D, d): the principal components that tell them apart

    @classmethod
    def one(cls, keys: Tensor) -> Clusters:
        """All keys (N, ...) in one."""
        order = torch.arange(len(keys), device=keys.device)
        return cls(order, order.new_tensor([len(keys)]), keys.new_zeros(keys.shape[1], 0))

    def centred(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean (K, ...) of x (N, ...) in each cluster, and how x differs from it, sorted by cluster (N, ...)."""
        x = x[self.order]
        home = torch.arange(len(self.counts), device=x.device).repeat_interleave(self.counts)
        means = x.new_zeros(len(self.counts), *x.shape[1:]).index_add_(0, home, x)
        means /= self.counts.reshape(-1, *[1] * (x.ndim - 1))
        return means, x.sub_(means[home])

    def groups(self, probed: Tensor) -> Iterator[Group]:
        """Queries with the clusters that they are to meet: probed (Q, P)."""
        home = probed.flatten()
        order = home.argsort(stable=True) // probed.shape[1]
        many = torch.bincount(home, minlength=len(self.counts)).tolist()
        first = key = 0
        for cluster, (queries, keys) in enumerate(zip(many, self.counts.tolist(), strict=True)):
            if queries:
                yield Group(cluster, order[first : first + queries], slice(key, key + keys))
            first, key = first + queries, key + keys


def clustered(keys: Tensor) -> Clusters:
    """Keys (N, D) in about 2 sqrt(N) clusters, none of more than 2 sqrt(N) keys: k-means, from a fixed seed."""
    count = 2 * max(1, round(len(keys) ** 0.5))
    shuffled = torch.randperm(len(keys), generator=seeded(0, Stream.FIT))
    some = keys[shuffled[:4096]]
    mean = some.mean(0)
    centred = some - mean
    axes = torch.linalg.eigh((centred.T @ centred).double())[1][:, -DIMS:].to(keys)  # (D, DIMS), the first component last
    points = (keys - mean) @ axes
    centres = _k_means(points[shuffled[: SAMPLE * count]], points[shuffled[:count]])
    return Clusters(*_bounded(_nearest(points, centres), points[:, -1], count), axes)


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    half = centres.square().sum(1) / 2
    return torch.cat([(half - part @ centres.T).argmin(1) for part in points.split(16384)])


def _k_means(points: Tensor, centres: Tensor) -> Tensor:
    """The centres after Lloyd's iterations; one without points stays where it is."""
    for _ in range(ITERATIONS):
        home = _nearest(points, centres)
        total = torch.zeros_like(centres).index_add_(0, home, points)
        count = torch.bincount(home, minlength=len(centres))[:, None]
        centres = torch.where(count > 0, total / count.clamp(min=1), centres)
    return centres


def _bounded(home: Tensor, along: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The clusters `home` (N,) that have points, large ones in even parts `along` (N,) of at most `most`.

    Else a picture that is flat, or has black bars, would be one cluster that nearly all of its patches meet.
    """
    order = along.argsort(stable=True)
    order = order[home[order].argsort(stable=True)]
    home = home[order]
    count = torch.bincount(home)
    rank = torch.arange(len(home), device=home.device) - (count.cumsum(0) - count)[home]
    parts = (count + most - 1) // most
    part = (parts.cumsum(0) - parts)[home] + rank * parts[home] // count[home]
    return order, torch.bincount(part)
