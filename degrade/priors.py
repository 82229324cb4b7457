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
from degrade.protocols import Degradation, State
from degrade.random import Stream, integers, normal, seeded, uniform

if TYPE_CHECKING:
    from degrade.random import Random
    from degrade.spectral import Border

Enlarge = Literal["bicubic", "nearest-exact"]


@dataclass(frozen=True)
class GaussianPrior:
    """x = eps, standard normal, and eps is the latent."""

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        eps = normal(shape, generator)
        return State(eps, (eps,))


@dataclass(frozen=True)
class ThumbnailPrior:
    """A Gaussian mixture over g x g thumbnails of images, enlarged to the size asked for, plus noise for each pixel.

    For degradations that leave only low frequencies, or mean colours (g = 1), at t = 1. A thumbnail is the one whose
    enlargement is nearest to its image (least squares), so that what is drawn has the mean and the covariance of the images.
    The noise breaks the symmetry of smooth images, without which a deterministic restorer gives one image for one colour
    (arXiv 2208.09392, section 6.1: std .001 to .004).
    """

    weights: torch.Tensor  # (K,)
    means: torch.Tensor  # (K, C, g, g)
    factors: torch.Tensor  # (K, C g g, R) with factor factor^T = covariance
    noise: float = 0.002
    enlarge: Enlarge = "bicubic"

    def __post_init__(self) -> None:
        _check_tensors(self, weights=1, means=4, factors=3)
        bounded(self, noise=(0, 100))
        count, values = len(self.means), self.means[0].numel()
        if len(self.weights) != count or self.factors.shape[:2] != (count, values):
            raise ValueError(
                f"a mixture has weights (K,), means (K, C, g, g) and factors (K, C g g, R), got {tuple(self.weights.shape)}, "
                f"{tuple(self.means.shape)} and {tuple(self.factors.shape)}."
            )

    @staticmethod
    def fit(
        images: torch.Tensor,
        grid: tuple[int, int],
        components: int = 1,
        noise: float = 0.002,
        enlarge: Enlarge = "bicubic",
        degradation: Degradation | None = None,
    ) -> ThumbnailPrior:
        """A mixture of `components` Gaussians for thumbnails of `images` (N, C, H, W), or of D(images, 1, z)."""
        if images.ndim != 4 or not len(images):
            raise ValueError(
                f"a prior is fitted to images (N, C, H, W) with N >= 1, got a tensor of shape {tuple(images.shape)}."
            )
        generator, small = seeded(0, Stream.FIT), []
        for x in images.split(64):
            x = x.float().cpu()
            if degradation is not None:
                x = degradation(x, torch.ones(len(x)), degradation.draw(x, generator))
            small.append(_reduced(x, grid, enlarge))
        thumbnails = torch.cat(small)
        mixture = fit(thumbnails.flatten(1), components)
        means = mixture.means.reshape(-1, *thumbnails.shape[1:])
        return ThumbnailPrior(mixture.weights, means, mixture.factors, noise, enlarge)

    @staticmethod
    def of_blurred(images: torch.Tensor, blur: Degradation, sigma: float, border: Border) -> ThumbnailPrior:
        """For a blur of standard deviation `sigma` pixels at t = 1: a cell for 2 sigma, below which next to nothing is left.

        But at least as many as the slowest wave needs, which is the last to go: 2, or 4 where it runs around the image.
        """
        fewest = 4 if border == "circular" else 2
        height, width = (min(side, max(fewest, round(side / (2 * sigma)))) for side in images.shape[-2:])
        return ThumbnailPrior.fit(images, (height, width), degradation=blur)

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        batch, channels, height, width = shape
        if channels != self.means.shape[1]:
            raise ValueError(f"this prior was fitted to images of {self.means.shape[1]} channels, {channels} were asked for.")
        k = torch.searchsorted(self.weights.cumsum(0), uniform((batch,), generator)).clamp(max=len(self.weights) - 1)
        z = normal((batch, self.factors.shape[2]), generator)
        small = self.means[k] + torch.einsum("bdr,br->bd", self.factors[k], z).reshape(batch, *self.means.shape[1:])
        return State(_enlarged(small, (height, width), self.enlarge) + self.noise * normal(shape, generator), ())


def _enlarged(x: torch.Tensor, size: tuple[int, int], mode: Enlarge) -> torch.Tensor:
    return torch.nn.functional.interpolate(x, size, mode=mode, align_corners=None if mode == "nearest-exact" else False)


def _reduced(images: torch.Tensor, grid: tuple[int, int], mode: Enlarge) -> torch.Tensor:
    """The thumbnails (N, C, *grid) whose enlargements are nearest to the images, by least squares: along H, then along W."""
    rows, columns = (
        torch.linalg.pinv(_enlarged(torch.eye(cells, dtype=torch.float64)[None, :, :, None], (side, 1), mode)[0, :, :, 0].T)
        for cells, side in zip(grid, images.shape[-2:], strict=True)
    )
    return rows.to(images) @ images @ columns.to(images).mT


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
        bounded(self, grid=(1, 128), components=(1, 64), noise=(0, 100))

    def fit(self, images: torch.Tensor, degradation: Degradation | None = None) -> ThumbnailPrior:
        """The mixture for `images` (N, C, H, W), or for D(images, 1, z)."""
        return ThumbnailPrior.fit(images, (self.grid, self.grid), self.components, self.noise, degradation=degradation)


@dataclass(frozen=True)
class LatentPrior:
    """x = D(0, 1, z): for a degradation that leaves nothing of the image at t = 1 but its own latent."""

    degradation: Degradation

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        nothing = torch.zeros(tuple(shape))
        latent = self.degradation.draw(nothing, generator)
        return State(self.degradation(nothing, torch.ones(len(nothing)), latent), latent)


@dataclass(frozen=True)
class ImagePrior:
    """x = D(y, 1, z), y a stored image."""

    images: torch.Tensor  # (N, C, H, W)
    degradation: Degradation

    def __post_init__(self) -> None:
        if self.images.is_floating_point():
            object.__setattr__(self, "images", self.images.float())
        _check_tensors(self, images=4)

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        y = _choose(self.images, shape, generator)
        latent = self.degradation.draw(y, generator)
        return State(self.degradation(y, torch.ones(len(y)), latent), latent)


@dataclass(frozen=True)
class PartnerPrior:
    """x = y, a stored image that is also the latent: the far end of a mixture."""

    images: torch.Tensor  # (N, C, H, W)

    def __post_init__(self) -> None:
        if self.images.is_floating_point():
            object.__setattr__(self, "images", self.images.float())
        _check_tensors(self, images=4)

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        y = _choose(self.images, shape, generator)
        return State(y, (y,))


@dataclass(frozen=True)
class BridgePrior(PartnerPrior):
    """x = y, a stored picture that is what a bridge ends at."""

    def sample(self, shape: Sequence[int], generator: Random = None) -> State:
        y = super().sample(shape, generator).x
        return State(y, ((y,), (torch.zeros_like(y),)))  # type: ignore[arg-type]


def _check_tensors(prior: object, **dims: int) -> None:
    """Raises ValueError unless the prior's tensors hold finite numbers, in so many dimensions: they may be a stranger's."""
    for name, count in dims.items():
        x = getattr(prior, name)
        if x.ndim != count or not x.numel() or x.dtype != torch.float32 or not bool(x.isfinite().all()):
            raise ValueError(
                f"{name} of {type(prior).__name__} are finite numbers of float32 in {count} dimensions, got "
                f"{x.dtype} of shape {tuple(x.shape)}."
            )
        if count == 4 and max(x.shape[2:]) > 1000 * min(x.shape[2:]):
            raise ValueError(f"{name} of {type(prior).__name__} are {x.shape[2]} x {x.shape[3]} pixels: too long and thin.")


def _choose(images: torch.Tensor, shape: Sequence[int], generator: Random) -> torch.Tensor:
    """Images of `shape` chosen at random: enlarged to cover it, if they must be, then cropped at random."""
    batch, channels, height, width = shape
    if channels != images.shape[1]:
        raise ValueError(f"this prior holds images of {images.shape[1]} channels, {channels} were asked for.")
    distinct, which = integers(len(images), (batch,), generator).unique(return_inverse=True)
    chosen = images[distinct].float()
    scale = max(height / images.shape[-2], width / images.shape[-1])
    if scale > 1:
        size = [max(side, round(scale * old)) for side, old in zip((height, width), images.shape[-2:], strict=True)]
        chosen = torch.nn.functional.interpolate(chosen, size, mode="bicubic", align_corners=False)
    room = torch.tensor(chosen.shape[-2:]) - torch.tensor([height, width]) + 1
    corners = (uniform((batch, 2), generator) * room).long().tolist()
    return torch.stack(
        [chosen[i, :, top : top + height, left : left + width] for i, (top, left) in zip(which.tolist(), corners, strict=True)]
    )
