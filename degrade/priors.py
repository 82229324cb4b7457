"""Distributions over x at t = 1: where the walk back starts when an image is generated, not restored.

A prior is a frozen dataclass of plain numbers, operators and tensors, and is saved with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.lazy import torch
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
    """A Gaussian over g x g thumbnails of the images, enlarged to the size asked for, plus a little noise per pixel.

    For degradations that leave only low frequencies or mean colours (g = 1) at t = 1. The noise breaks the symmetry of
    smooth images, without which a deterministic restorer gives one image per mean colour (arXiv 2208.09392, section 6).
    """

    mean: torch.Tensor  # (C, g, g)
    factor: torch.Tensor  # (C g g, D) with factor factor^T = covariance
    noise: float = 0.002

    @staticmethod
    def fit(images: torch.Tensor, grid: tuple[int, int], noise: float = 0.002) -> ThumbnailPrior:
        """The sample mean and covariance of thumbnails of `images` (N, C, H, W)."""
        if images.ndim != 4 or not len(images):
            raise ValueError(
                f"a prior is fitted to images (N, C, H, W) with N >= 1, got a tensor of shape {tuple(images.shape)}."
            )
        small = torch.nn.functional.adaptive_avg_pool2d(images.float().cpu(), grid)
        mean = small.mean(0)
        deviations = (small - mean).flatten(1) / max(1, len(small) - 1) ** 0.5  # (N, D): covariance = deviations^T deviations
        _, s, v = torch.linalg.svd(deviations, full_matrices=False)
        return ThumbnailPrior(mean, (v * s[:, None]).T.contiguous(), noise)

    def sample(self, shape: Sequence[int], generator: Random = None) -> Start:
        batch, channels, height, width = shape
        if channels != self.mean.shape[0]:
            raise ValueError(f"this prior was fitted to images of {self.mean.shape[0]} channels, {channels} were asked for.")
        z = normal((batch, self.factor.shape[1]), generator)
        small = self.mean + (z @ self.factor.T).reshape(batch, *self.mean.shape)
        x = torch.nn.functional.interpolate(small, (height, width), mode="bicubic", align_corners=False)
        return Start(x + self.noise * normal(shape, generator), ())


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
