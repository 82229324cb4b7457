"""How far two sets of images are apart, without bias for few of them: the kernel distance between their features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from degrade.random import Stream, seeded


class KernelDistance(NamedTuple):
    mean: float
    deviation: float
    """Standard deviation over subsets."""

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"


def kernel_distance(a: Tensor, b: Tensor, subsets: int = 100, size: int = 1000) -> KernelDistance:
    """The mean over random subsets of the features (N, D) and (M, D) of the unbiased estimate of

        MMD^2 = E k(a, a') + E k(b, b') - 2 E k(a, b),        k(x, y) = (x . y / D + 1)^3

    (Binkowski et al. 2018, arXiv 1801.01401, section 3.2): KID, where the features are those of FID's Inception. Subsets are of
    `size`, as published, or of half the smaller set, if that is less; always the same ones. It can be negative for sets that
    are alike. Raises ValueError for fewer than two images.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a kernel distance needs at least two images in each set, got {len(a)} and {len(b)}.")
    size = max(2, min(size, len(a) // 2, len(b) // 2))
    a, b, generator = a.double(), b.double(), seeded(0, Stream.TEST)
    found = []
    for _ in range(subsets):
        x, y = (features[torch.randperm(len(features), generator=generator)[:size].to(features.device)] for features in (a, b))
        found.append(squared_mmd(x, y))
    values = torch.stack(found)
    return KernelDistance(float(values.mean()), float(values.std(correction=0)))


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The estimate for features x (N, D) and y (M, D), two or more of each."""
    within = [_kernel(each, each).fill_diagonal_(0).sum() / (len(each) * (len(each) - 1)) for each in (x, y)]
    return within[0] + within[1] - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
