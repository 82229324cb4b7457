"""The low frequencies of a reference (iterative latent variable refinement, ILVR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.severity import per_sample
from degrade.spectral import gaussian_blur

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def ilvr(restore: Restore, reference: Tensor, sigma: float, share: float = 1.0, until: float = 0.0) -> Restore:
    """x0_hat takes over `share` of the low frequencies of `reference` (B or 1, C, H, W), at severities above `until`.

    x0_hat + share (blur(reference) - blur(x0_hat)), a Gaussian blur of `sigma` pixels: the structure of one image with the
    detail of another, and what binds a scale of a pyramid to the coarser one (Choi et al. 2021, arXiv 2108.02938).
    """

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = restore(x_t, t)
        return x0 + per_sample((t > until) * share, x0) * gaussian_blur(reference - x0, sigma)

    return guided
