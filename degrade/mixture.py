"""Gaussian mixtures, fitted by expectation maximisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.random import Stream, seeded

if TYPE_CHECKING:
    from torch import Tensor


class Mixture(NamedTuple):
    """p(x) = sum_k weights_k N(x; means_k, factors_k factors_k^T), x of D dimensions. float32."""

    weights: Tensor  # (K,), summing to 1
    means: Tensor  # (K, D)
    factors: Tensor  # (K, D, R)


def fit(x: Tensor, components: int = 1, floor: float = 1e-4, iterations: int = 100) -> Mixture:
    """A mixture of `components` full Gaussians for the points x (N, D).

    One component is the sample mean and covariance, of whatever rank. Several are found by EM from k-means++ seeds drawn
    from a fixed generator, with `floor` added to the variances (Dempster et al. 1977; Arthur & Vassilvitskii 2007).
    """
    if x.ndim != 2 or not 1 <= components <= len(x):
        raise ValueError(f"a mixture of {components} Gaussians needs at least as many points (N, D), got {tuple(x.shape)}.")
    x = x.double().cpu()
    if components == 1:
        mean = x.mean(0)
        deviations = (x - mean) / max(1, len(x) - 1) ** 0.5  # (N, D): covariance = deviations^T deviations
        _, s, v = torch.linalg.svd(deviations, full_matrices=False)
        factor = (v * s[:, None]).T
        return Mixture(torch.ones(1), mean[None].float(), factor[None].contiguous().float())
    means = _spread(x, components)
    share = torch.nn.functional.one_hot(torch.cdist(x, means).argmin(1), components).double()  # (N, K)
    for _ in range(iterations):
        weights, means, factors = _maximise(x, share, floor)
        before, share = share, _expect(x, weights, means, factors)
        if float((share - before).abs().max()) < 1e-6:
            break
    return Mixture(weights.float(), means.float(), factors.float())


def _spread(x: Tensor, components: int) -> Tensor:
    """Points far from one another, each drawn with odds that grow with the squared distance to those before it: (K, D)."""
    generator = seeded(0, Stream.FIT)
    chosen = [int(torch.randint(len(x), (1,), generator=generator))]
    while len(chosen) < components:
        far = torch.cdist(x, x[chosen]).amin(1).square() + 1e-12
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
    return x[chosen]


def _maximise(x: Tensor, share: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means, and Cholesky factors of the covariances, given each point's share (N, K) in each component."""
    total = share.sum(0) + 1e-12
    means = share.T @ x / total[:, None]
    deviations = x - means[:, None]  # (K, N, D)
    covariance = torch.einsum("nk,knd,kne->kde", share, deviations, deviations) / total[:, None, None]
    covariance = covariance + floor * torch.eye(x.shape[1], dtype=x.dtype)
    return total / total.sum(), means, torch.linalg.cholesky(covariance)


def _expect(x: Tensor, weights: Tensor, means: Tensor, factors: Tensor) -> Tensor:
    """Each point's share in each component (N, K): p(k | x)."""
    scores = torch.linalg.solve_triangular(factors, (x - means[:, None]).mT, upper=False)  # (K, D, N)
    log_density = -scores.square().sum(1) / 2 - factors.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)
    return (log_density + weights.log()[:, None]).softmax(0).T
