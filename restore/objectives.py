"""Training objectives: a distance in the space that the network predicts, and a weight for each severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.lazy import torch
from degrade.protocols import Affine
from restore.restorer import Restorer

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """weight(t) * mean over pixels of |output - target|^p, per sample.

    With prediction "eps" and "mse" this is DDPM's simple loss, with "x0" and "l1" Cold Diffusion's, with "v" and "mse"
    the v objective. Weights, with snr = alpha^2/sigma^2 (min-snr and sigmoid need an affine degradation):

    | weight | on the squared error of x0_hat | source |
    | --- | --- | --- |
    | uniform | 1/c_out^2: every output counts alike | |
    | min-snr | min(snr, gamma) | Hang et al. 2023, arXiv 2303.09556, eq. 8 |
    | sigmoid | snr sigmoid(bias - log snr) | Hoogeboom et al. 2024, arXiv 2410.19324, section 3.1 |
    """

    loss: Literal["mse", "l1"] = "mse"
    """Squared or absolute error."""
    weight: Literal["uniform", "min-snr", "sigmoid"] = "uniform"
    """How severities are weighted."""
    gamma: float = 5.0
    """Bound of min-snr."""
    bias: float = 0.0
    """Shift of sigmoid, in log snr."""

    def __call__(self, restorer: Restorer, x0: Tensor, t: Tensor, latent: tuple) -> Tensor:
        """The loss of each sample (B,), t > 0. Raises ValueError where the degradation does not allow the weight."""
        x_t = restorer.degradation(x0, t, latent)
        output, target, c_out = restorer.output_and_target(x_t, x0, t)
        error = (output - target).square() if self.loss == "mse" else (output - target).abs()
        loss = error.flatten(1).mean(1)
        return loss if self.weight == "uniform" else self._weight(restorer, t, c_out).to(loss.dtype) * loss

    def _weight(self, restorer: Restorer, t: Tensor, c_out: Tensor) -> Tensor:
        """The weight of x0_hat's error, carried to the network's output: x0_hat's error is c_out times the output's."""
        if not isinstance(restorer.degradation, Affine):
            raise ValueError(
                f"{self.weight} weighting needs a signal-to-noise ratio; {type(restorer.degradation).__name__} has none. "
                "Use weight='uniform'."
            )
        alpha, sigma = restorer.degradation.coefficients(t)
        snr = (alpha / sigma).square()
        weight = snr.clamp(max=self.gamma) if self.weight == "min-snr" else snr * torch.sigmoid(self.bias - snr.log())
        return weight * (c_out.square() if self.loss == "mse" else c_out.abs())
