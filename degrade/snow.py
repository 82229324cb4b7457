"""Falling snow: streaks of thresholded, motion-blurred noise over a picture that brightens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from degrade.checks import bounded, checked, images_only
from degrade.lazy import torch
from degrade.priors import ImagePrior
from degrade.random import normal, uniform
from degrade.severity import on_grid, per_sample
from degrade.transfer import like

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Flakes(NamedTuple):
    noise: Tensor  # (B, 1, H, W), enlarged noise whose peaks are flakes
    vertical: Tensor  # (B,) 1 for streaks along the height, 0 along the width


class Range(NamedTuple):
    first: float  # at the first step
    last: float  # at t = 1


class Level(NamedTuple):
    mean: float  # of the noise
    zoom: float  # its enlargement
    taps: int  # of the motion blur
    threshold: Range  # below which there is no flake
    blur: Range  # standard deviation of the motion blur, pixels
    brightness: Range  # share of the picture that is not whitened


LEVELS = {
    1: Level(0.10, 3.0, 5, Range(0.70, 0.30), Range(0.50, 5.0), Range(0.95, 0.70)),
    2: Level(0.55, 2.5, 11, Range(1.15, 0.70), Range(0.05, 12.0), Range(0.95, 0.55)),
    3: Level(0.55, 2.5, 11, Range(1.15, 0.70), Range(0.05, 16.0), Range(0.95, 0.40)),
    4: Level(0.55, 2.5, 11, Range(1.15, 0.55), Range(0.05, 20.0), Range(0.95, 0.30)),
}
STD = 0.3  # of the noise


@dataclass(frozen=True)
class Snow:
    """x_t = clip(B + layer + layer rotated by 180 degrees, 0, 1) in units of [0, 1], layer and B falling on step s = t steps.

    Bansal et al. 2022, arXiv 2208.09392, appendix, after ImageNet-C's snow (Hendrycks & Dietterich 2019, arXiv 1903.12261).
    The layer is noise below a falling threshold set to 0, clipped to [0, 1] and blurred along one axis; with b(s) falling,
    B = b x0 + (1 - b) max(x0, 1.5 luma + .5). Threshold, blur and b are linear in s from step 1 to `steps`; between t = 0
    and step 1 the picture is blended with the first step's.
    """

    level: Literal[1, 2, 3, 4] = 3
    """How heavy it falls at t = 1."""
    steps: int = 200
    """Steps of the published schedule."""
    keep_brightness: bool = False
    """Whether the picture under the flakes stays as it is: B = x0."""

    def __post_init__(self) -> None:
        if self.level not in LEVELS or self.steps < 2:
            raise ValueError(f"Snow has the levels 1, 2, 3, 4 and at least 2 steps, got {self.level} and {self.steps}.")
        bounded(self, steps=(2, 1_000_000))

    def draw(self, x0: Tensor, generator: Random = None) -> Flakes:
        """Noise, and for each sample streaks along the height or the width, with equal odds."""
        z = normal((len(x0), *x0.shape[-2:]), generator)
        vertical = (uniform((len(x0),), generator) > 0.5).to(z)
        return Flakes(like(self.enlarged(z), x0), like(vertical, x0))

    def enlarged(self, z: Tensor) -> Tensor:
        """mean + .3 z, z (B, H, W) standard normal, its middle enlarged by the level's zoom to (B, 1, H, W)."""
        level = LEVELS[self.level]
        noise = level.mean + STD * z[:, None]
        for dim in (2, 3):
            side = z.shape[dim - 1]
            cut = math.ceil(side / level.zoom)
            noise = noise.narrow(dim, (side - cut) // 2, cut)
        size = [max(1, round(cut * level.zoom)) for cut in noise.shape[-2:]]
        noise = torch.nn.functional.interpolate(noise, size, mode="bilinear", align_corners=True)
        for dim, side in ((2, z.shape[1]), (3, z.shape[2])):
            noise = noise.narrow(dim, (noise.shape[dim] - side) // 2, side)
        return noise

    @images_only
    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Flakes) -> Tensor:
        step, fraction = on_grid(t, self.steps)
        place = step + fraction
        layer = self.layer(latent, place)
        picture = (x0 + 1) / 2
        if not self.keep_brightness:
            b = per_sample(self._at(place, LEVELS[self.level].brightness), x0)
            picture = b * picture + (1 - b) * torch.maximum(picture, 1.5 * _luma(picture) + 0.5)
        snowy = 2 * (picture + layer + layer.flip(-2, -1)).clamp(0, 1) - 1
        return torch.lerp(x0, snowy, per_sample(place.clamp(max=1), x0))

    def layer(self, latent: Flakes, place: Tensor) -> Tensor:
        """The streaks (B, 1, H, W) in [0, 1] at step `place` (B,)."""
        noise, vertical = latent
        level = LEVELS[self.level]
        threshold = per_sample(self._at(place, level.threshold), noise)
        flakes = torch.where(noise < threshold, 0, noise).clamp(0, 1)
        offset = torch.arange(level.taps, device=place.device, dtype=place.dtype) - level.taps // 2
        weight = torch.exp(-offset.square() / (2 * self._at(place, level.blur)[:, None].square()))
        weight = (weight / weight.sum(1, keepdim=True)).to(noise.dtype)
        half = level.taps // 2
        across = _shifted_sum(torch.nn.functional.pad(flakes, (half, half, 0, 0)), weight, 3)
        along = _shifted_sum(torch.nn.functional.pad(flakes, (0, 0, half, half)), weight, 2)
        return torch.where(per_sample(vertical, noise) > 0.5, along, across)

    def _at(self, place: Tensor, values: Range) -> Tensor:
        """Linear in the step, from the first step on."""
        return values.first + (values.last - values.first) * (place.clamp(min=1) - 1) / (self.steps - 1)

    def prior(self, images: Tensor) -> ImagePrior:
        """Images of the set under snow: the picture shows through, so it is restored, not generated."""
        return ImagePrior(images, self)


def _luma(x: Tensor) -> Tensor:
    """Brightness (B, 1, H, W): .299 R + .587 G + .114 B of three channels, else their mean."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    weight = like(torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype), x)
    return (x * weight[:, None, None]).sum(1, keepdim=True)


def _shifted_sum(x: Tensor, weight: Tensor, dim: int) -> Tensor:
    """sum_j weight_j x[j : j + size] along `dim`, weight (B, taps), x padded by taps - 1."""
    taps = weight.shape[1]
    size = x.shape[dim] - taps + 1
    return sum(per_sample(weight[:, j], x) * x.narrow(dim, j, size) for j in range(taps))  # type: ignore[return-value]
