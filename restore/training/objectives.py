"""Training objectives: a distance in the space that the network predicts, and a weight for each severity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.protocols import Affine
from restore.restorer import Restorer

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


Loss = Literal["mse", "l1"]

FLOOR = 1e-3
"""Of what is missing in a picture, where errors are relative to it: some lose nothing."""


@dataclass(frozen=True)
class Objective:
    """weight(t) * mean over pixels of |output - target|^p, per sample, for images (B, C, *space) of any rank.

    With prediction "eps" and "mse" this is DDPM's simple loss, with "x0" and "l1" Cold Diffusion's, with "v" and "mse"
    the v objective. Weights, with snr = alpha^2/sigma^2 (those with snr need an affine degradation; l1 takes their root):

    | weight | on the squared error of x0_hat | source |
    | --- | --- | --- |
    | uniform | 1/c_out^2: every output counts alike | |
    | eps | snr: the error of the noise, whatever the network predicts | Hoogeboom et al. 2023, arXiv 2301.11093, 3.5 |
    | min-snr | min(snr, gamma) | Hang et al. 2023, arXiv 2303.09556, eq. 8 |
    | relative | 1/(1e-3 + what x_t lacks of x0, in the same distance): small holes and weak blurs count as large ones do | |
    | sigmoid | -1/2 d(log snr)/dt snr sigmoid(bias - log snr) | Hoogeboom et al. 2024, arXiv 2410.19324, section 3.1 |

    d(log snr)/dt turns the mean over t into an integral over log snr, so that the sigmoid loss depends on the schedule through
    its ends only (Kingma & Gao 2023, arXiv 2303.00848); under the others, a schedule weights where it lingers.
    """

    loss: Loss = "mse"
    """Squared or absolute error."""
    weight: Literal["uniform", "eps", "min-snr", "sigmoid", "relative"] = "uniform"
    """How severities are weighted."""
    coarsest: int = 0
    """Shorter side, pixels, down to which errors also count when averaged over squares of 2, 4, ... pixels; 0: pixels only."""
    gamma: float = 5.0
    """Bound of min-snr."""
    bias: float = 0.0
    """Shift of sigmoid, in log snr."""

    def __post_init__(self) -> None:
        if not self.gamma > 0:
            raise ValueError(f"gamma bounds a weight and is > 0, got {self.gamma}.")
        if self.coarsest < 0:
            raise ValueError(f"coarsest is a side in pixels, or 0; got {self.coarsest}.")
        bounded(self, coarsest=(0, 65_536), gamma=(0, 1e6), bias=(-100, 100))

    def __call__(self, restorer: Restorer, x0: Tensor, t: Tensor, latent: tuple) -> Tensor:
        """The loss of each sample (B,), t > 0. Raises ValueError where the degradation does not allow the weight."""
        x_t = restorer.degradation(x0, t, latent)
        output, target, c_out = restorer.output_and_target(x_t, x0, t)
        loss = self._distance(output - target)
        if self.weight == "uniform":
            return loss
        if self.weight == "relative":
            power = 2 if self.loss == "mse" else 1
            return c_out.to(loss.dtype).abs().pow(power) / (self._distance(x_t - x0) + FLOOR) * loss
        return self._weight(restorer, t, c_out).to(loss.dtype) * loss

    def _distance(self, difference: Tensor) -> Tensor:
        return distance(difference, self.loss, self.coarsest)

    def _weight(self, restorer: Restorer, t: Tensor, c_out: Tensor) -> Tensor:
        """The weight of x0_hat's error, carried to the network's output: x0_hat's error is c_out times the output's."""
        if not isinstance(restorer.degradation, Affine):
            raise ValueError(
                f"{self.weight} weighting needs a signal-to-noise ratio; {type(restorer.degradation).__name__} has none. "
                "Use weight='uniform'."
            )
        alpha, sigma = restorer.degradation.coefficients(t)
        snr = (alpha / sigma).square()
        if self.weight == "eps":
            weight = snr
        elif self.weight == "min-snr":
            weight = snr.clamp(max=self.gamma)
        else:
            alpha_slope, sigma_slope = restorer.degradation.derivatives(t)
            weight = (
                alpha * (alpha * sigma_slope - alpha_slope * sigma) / sigma**3
            )  # -1/2 d(log snr)/dt snr, finite at alpha = 0
            weight = weight * torch.sigmoid(self.bias - snr.log())
        weight = weight * c_out.square()
        return weight if self.loss == "mse" else weight.sqrt()


def distance(difference: Tensor, loss: Loss, coarsest: int = 0) -> Tensor:
    """The mean of |difference|^p (B,); with `coarsest`, the mean of that at sides s, s/2, ..., weighted by 1/side.

    The weights are those of simple diffusion (arXiv 2301.11093, section 3.5), there with the sum in place of the mean.
    """
    side, space = min(difference.shape[2:]), difference.ndim - 2
    halvings = max(0, int(math.log2(side / coarsest))) if coarsest else 0
    losses = []
    for k in range(halvings + 1):
        pooled = getattr(torch.nn.functional, f"avg_pool{space}d")(difference, 2**k) if k else difference
        error = pooled.square() if loss == "mse" else pooled.abs()
        losses.append(2**k * error.flatten(1).mean(1))
    return torch.stack(losses).sum(0) / (2 ** (halvings + 1) - 1)


@runtime_checkable
class Staged(Protocol):
    """An objective that depends on how far training has got, or draws random numbers of its own."""

    def at(self, done: float, generators: Callable[[], Random]) -> Callable[..., Tensor]:
        """The objective when the share `done` in [0, 1) of the training is over; `generators()` gives one for each image."""
        ...
