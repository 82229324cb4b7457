"""Patches in clusters, so that a query meets only those that could matter: k-means on their principal components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from degrade.random import Stream, seeded

DIMS = 24  # principal components that clusters are told apart by
ITERATIONS = 8


class Group(NamedTuple):
    """The queries (by index) and the keys (as a range) of one cluster."""

    queries: Tensor  # (q,)
    keys: slice


class Clusters:
    """Keys (N, D), sorted by cluster; about sqrt(N) clusters. Built from a fixed seed.

    `groups(x, gain, probes)` pairs every query of x (Q, D), a noisy gain y, with the keys of the `probes` clusters whose
    centres c make |x - gain c| least.
    """

    def __init__(self, keys: Tensor) -> None:
        count = max(1, round(len(keys) ** 0.5))
        generator = seeded(0, Stream.FIT)
        some = keys[_choose(len(keys), 4096, generator)]
        self.mean = some.mean(0)
        centred = some - self.mean
        self.axes = torch.linalg.eigh((centred.T @ centred).double())[1][:, -DIMS:].to(keys)  # (D, DIMS)
        points = (keys - self.mean) @ self.axes
        self.centres = _k_means(points, points[_choose(len(points), count, generator)])
        home = _nearest(points, self.centres)
        self.order = home.argsort(stable=True)
        self.ends = torch.bincount(home, minlength=count).cumsum(0).tolist()

    def groups(self, queries: Tensor, gain: float, probes: int) -> Iterator[Group]:
        count = len(self.centres)
        points = (queries - gain * self.mean) @ self.axes
        score = gain * self.centres.square().sum(1) / 2 - points @ self.centres.T
        home = score.topk(probes, 1, largest=False).indices.flatten()
        order = home.argsort(stable=True)
        ends = torch.bincount(home, minlength=count).cumsum(0).tolist()
        first = key = 0
        for last, end in zip(ends, self.ends, strict=True):
            if last > first and end > key:
                yield Group(order[first:last] // probes, slice(key, end))
            first, key = last, end


def _choose(total: int, count: int, generator: torch.Generator) -> Tensor:
    """At most `count` different indices below `total`."""
    return torch.randperm(total, generator=generator)[:count]


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    half = centres.square().sum(1) / 2
    return torch.cat([(half - part @ centres.T).argmin(1) for part in points.split(16384)])


def _k_means(points: Tensor, centres: Tensor) -> Tensor:
    """Lloyd's iterations; a centre without points stays where it is."""
    for _ in range(ITERATIONS):
        home = _nearest(points, centres)
        total = torch.zeros_like(centres).index_add_(0, home, points)
        count = torch.bincount(home, minlength=len(centres))[:, None]
        centres = torch.where(count > 0, total / count.clamp(min=1), centres)
    return centres
