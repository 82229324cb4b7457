"""Distributions over x at t = 1: where the walk back starts when an image is generated, not restored.

A prior is a frozen dataclass of plain numbers, operators and tensors, and is saved with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.mixture import fit
from degrade.protocols import Degradation, Start
from degrade.random import integers, normal, uniform

if TYPE_CHECKING:
    from degrade.protocols import Random


@dataclass(frozen=True)
class GaussianPrior:
    """x = eps, standard normal, and eps is the latent."""

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        eps = normal(shape, generator)
        return Start(eps, (eps,))


@dataclass(frozen=True)
class ThumbnailPrior:
    """A Gaussian mixture over g x g thumbnails of the images, enlarged to the size asked for, plus noise for each pixel.

    For degradations that leave only low frequencies, or mean colours (g = 1), at t = 1. The noise breaks the symmetry of
    smooth images, without which a deterministic restorer gives one image for one colour (arXiv 2208.09392, section 6.1:
    std .001 to .004).
    """

    weights: torch.Tensor  # (K,)
    means: torch.Tensor  # (K, C, g, g)
    factors: torch.Tensor  # (K, C g g, R) with factor factor^T = covariance
    noise: float = 0.002
    enlarge: Literal["bicubic", "nearest-exact"] = "bicubic"

    @staticmethod
    def fit(
        images: torch.Tensor,
        grid: tuple[int, int],
        components: int = 1,
        noise: float = 0.002,
        enlarge: Literal["bicubic", "nearest-exact"] = "bicubic",
    ) -> ThumbnailPrior:
        """A mixture of `components` Gaussians for thumbnails of `images` (N, C, H, W)."""
        if images.ndim != 4 or not len(images):
            raise ValueError(
                f"a prior is fitted to images (N, C, H, W) with N >= 1, got a tensor of shape {tuple(images.shape)}."
            )
        small = torch.nn.functional.adaptive_avg_pool2d(images.float().cpu(), grid)
        mixture = fit(small.flatten(1), components)
        return ThumbnailPrior(mixture.weights, mixture.means.reshape(-1, *small.shape[1:]), mixture.factors, noise, enlarge)

    @staticmethod
    def of_blurred(images: torch.Tensor, sigma: float) -> ThumbnailPrior:
        """Thumbnails with one pixel for 2 sigma: what is left of the images after a Gaussian blur of `sigma` pixels."""
        height, width = (max(1, round(side / (2 * sigma))) for side in images.shape[-2:])
        return ThumbnailPrior.fit(images, (height, width))

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        batch, channels, height, width = shape
        if channels != self.means.shape[1]:
            raise ValueError(f"this prior was fitted to images of {self.means.shape[1]} channels, {channels} were asked for.")
        k = torch.searchsorted(self.weights.cumsum(0), uniform((batch,), generator)).clamp(max=len(self.weights) - 1)
        z = normal((batch, self.factors.shape[2]), generator)
        small = self.means[k] + torch.einsum("bdr,br->bd", self.factors[k], z).reshape(batch, *self.means.shape[1:])
        corners = None if self.enlarge == "nearest-exact" else False
        x = torch.nn.functional.interpolate(small, (height, width), mode=self.enlarge, align_corners=corners)
        return Start(x + self.noise * normal(shape, generator), ())


@dataclass(frozen=True)
class Thumbnails:
    """Settings of a ThumbnailPrior, to be fitted to the training images."""

    grid: int = 1
    """Side of the thumbnails; 1 for mean colours."""
    components: int = 1
    """Gaussians in the mixture."""
    noise: float = 0.002
    """Standard deviation of the noise for each pixel; 0 for none."""

    def __post_init__(self) -> None:
        if self.grid < 1 or self.components < 1 or not self.noise >= 0:
            raise ValueError(
                f"Thumbnails needs grid >= 1, components >= 1 and noise >= 0, "
                f"got {self.grid}, {self.components} and {self.noise}."
            )
        bounded(self, grid=(1, 1024), components=(1, 1024), noise=(0, 100))

    def fit(self, images: torch.Tensor) -> ThumbnailPrior:
        """The mixture for `images` (N, C, H, W)."""
        return ThumbnailPrior.fit(images, (self.grid, self.grid), self.components, self.noise)


@dataclass(frozen=True)
class LatentPrior:
    """x = D(0, 1, z): for a degradation that leaves nothing of the image at t = 1 but its own latent."""

    degradation: Degradation

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        nothing = torch.zeros(tuple(shape))
        latent = self.degradation.draw(nothing, generator)
        return Start(self.degradation(nothing, torch.ones(len(nothing)), latent), latent)


@dataclass(frozen=True)
class ImagePrior:
    """x = D(y, 1, z), y a stored image."""

    images: torch.Tensor  # (N, C, H, W)
    degradation: Degradation

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        y = _choose(self.images, shape, generator)
        latent = self.degradation.draw(y, generator)
        return Start(self.degradation(y, torch.ones(len(y)), latent), latent)


@dataclass(frozen=True)
class PartnerPrior:
    """x = y, a stored image that is also the latent: the far end of a mixture."""

    images: torch.Tensor  # (N, C, H, W)

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        y = _choose(self.images, shape, generator)
        return Start(y, (y,))


def _choose(images: torch.Tensor, shape: Sequence[int], generator: Random) -> torch.Tensor:
    """Images of `shape` chosen at random: enlarged to cover it, if they must be, then cropped at random."""
    batch, channels, height, width = shape
    if channels != images.shape[1]:
        raise ValueError(f"this prior holds images of {images.shape[1]} channels, {channels} were asked for.")
    which = integers(len(images), (batch,), generator)
    images = images.float()
    scale = max(height / images.shape[-2], width / images.shape[-1])
    if scale > 1:
        size = [max(side, round(scale * old)) for side, old in zip((height, width), images.shape[-2:], strict=True)]
        images = torch.nn.functional.interpolate(images, size, mode="bicubic", align_corners=False)
    room = torch.tensor(images.shape[-2:]) - torch.tensor([height, width]) + 1
    corners = (uniform((batch, 2), generator) * room).long()
    return torch.stack(
        [
            images[i, :, top : top + height, left : left + width]
            for i, (top, left) in zip(which.tolist(), corners.tolist(), strict=True)
        ]
    )
