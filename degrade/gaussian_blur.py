"""Gaussian blur of continuous strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.checks import bounded, checked, images_only
from degrade.priors import ThumbnailPrior
from degrade.severity import wide
from degrade.spectral import Border, gaussian_blur
from degrade.tree import NoLatent

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@dataclass(frozen=True)
class GaussianBlur:
    """x_t = x0 * N(0, sigma(t)^2), sigma(t) = sigma_max t pixels, applied in the frequency domain.

    The transfer function is exp(-sigma^2 omega^2 / 2) along each axis, so blurs compose exactly (variances add) and
    the cost does not depend on t.
    """

    sigma_max: float = 8.0
    """Standard deviation at t = 1, pixels."""
    border: Border = "reflect"
    """What lies beyond the edge: the image mirrored (edge pixel not repeated), or wrapped around."""

    def __post_init__(self) -> None:
        if not self.sigma_max > 0:
            raise ValueError(f"sigma_max is a width in pixels and must be > 0, got {self.sigma_max}.")
        if self.border not in ("reflect", "circular"):
            raise ValueError(f"border of GaussianBlur is 'reflect' or 'circular', got {self.border!r}.")
        bounded(self, sigma_max=(1e-3, 65_536))

    def draw(self, x0: Tensor, generator: Random = None) -> NoLatent:
        return NoLatent()

    @images_only
    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: NoLatent = NoLatent()) -> Tensor:  # noqa: B008
        return gaussian_blur(x0, self.sigma_max * wide(t), self.border)

    def prior(self, images: Tensor) -> ThumbnailPrior:
        """A Gaussian over thumbnails of the blurred images with one cell for 2 sigma_max: finer detail is gone at t = 1."""
        return ThumbnailPrior.of_blurred(images, self, self.sigma_max, self.border)
