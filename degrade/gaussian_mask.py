"""A hole that grows from a point: Cold Diffusion's inpainting mask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from degrade.checks import bounded, check
from degrade.lazy import torch
from degrade.priors import ImagePrior, LatentPrior
from degrade.random import uniform
from degrade.severity import on_grid

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Prior, Random


class Hole(NamedTuple):
    yx: Tensor  # (B, 2) pixels: row and column of the centre
    fill: Tensor  # what is seen in it: a colour (B, C, 1, 1), or an image (B, C, H, W)


@dataclass(frozen=True)
class GaussianMask:
    """x_t = m x0 + (1 - m) fill, m the product over i < s of 1 - exp(-r^2 / 2 sigma_i^2), sigma_i = std (i + first).

    s = t * steps, m linear in t between whole steps; r is the distance from the centre in pixels (Bansal et al. 2022,
    arXiv 2208.09392, sections 5.2 and 6). Reversed, 1 - m is the product over i < steps - s: what is seen shrinks to a
    point, and at t = 1 nothing but the fill is left, so that images can be generated from a colour.

    | published for | steps | std | first | centre | reverse | spread |
    | --- | --- | --- | --- | --- | --- | --- |
    | inpainting, MNIST and CIFAR-10 | 50 | .1 | 1 | random | no | 0 |
    | inpainting, CelebA 128 | 100 | .2 | 1 | middle | no | 0 |
    | generation | 750 | .05 | 1 | middle | yes | .5 |

    m depends on r^2 and s alone, so it is read from one table, at a cost that does not depend on t.
    """

    steps: int = 100
    """Masks multiplied at t = 1."""
    std: float = 0.2
    """Growth of the standard deviation per step, pixels."""
    first: int = 1
    """Standard deviation of the first mask, in units of `std`."""
    centre: Literal["random", "middle"] = "random"
    """Where the hole is: anywhere, one place for a whole trajectory, or in the middle."""
    colour: tuple[float, ...] = (0.0,)
    """What the hole fades to, in [-1, 1]: one value, or one for each channel."""
    spread: float = 0.0
    """Each sample's colour is drawn uniformly within +- spread of `colour`, per channel."""
    reverse: bool = False
    """Whether the picture shrinks to the centre instead of vanishing from there."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 10_000 or self.first < 1 or not self.std > 0:
            raise ValueError(
                f"GaussianMask needs 1 to 10000 steps, first >= 1 and std > 0, got {self.steps}, {self.first}, {self.std}."
            )
        if not self.colour or not self.spread >= 0:
            raise ValueError(
                f"GaussianMask needs a colour of at least one value and spread >= 0, got {self.colour}, {self.spread}."
            )
        if self.centre not in ("random", "middle"):
            raise ValueError(f"centre of GaussianMask is 'random' or 'middle', got {self.centre!r}.")
        bounded(self, first=(1, 10_000), std=(1e-3, 65_536), spread=(0, 100), colour=(-100, 100))

    def draw(self, x0: Tensor, generator: Random = None) -> Hole:
        """Whole pixels from -1 to S - 1 along a side of S when random; S // 2 - 1 in the middle (as published)."""
        batch, channels = x0.shape[:2]
        size = torch.tensor(x0.shape[-2:])
        if len(self.colour) not in (1, channels):
            raise ValueError(
                f"colour has {len(self.colour)} values for an image of {channels} channels: give one, or one each."
            )
        if self.centre == "middle":
            yx = (size // 2 - 1).expand(batch, 2)
        else:
            u = uniform((batch, 2), generator)
            size = size.to(u.device)
            yx = ((u * (size + 1)).floor().minimum(size) - 1).long()
        fill = torch.tensor(self.colour).expand(channels).reshape(1, -1, 1, 1).expand(batch, -1, -1, -1)
        if self.spread > 0:
            u = uniform((batch, channels, 1, 1), generator)
            fill = fill.to(u) + self.spread * (2 * u - 1)
        return Hole(yx.to(x0), fill.to(x0))

    def __call__(self, x0: Tensor, t: Tensor, latent: Hole) -> Tensor:
        check(x0, t, latent)
        m, (_, fill) = self.mask(x0, t, latent), latent
        return m * x0 + (1 - m) * fill

    def mask(self, x0: Tensor, t: Tensor, latent: Hole) -> Tensor:
        """m (B, 1, H, W) in [0, 1]: what is left of x0."""
        height, width = x0.shape[-2:]
        y, x = (torch.arange(side, device=x0.device, dtype=x0.dtype) for side in (height, width))
        yx = latent[0].to(x0.dtype)
        squared = (y - yx[:, :1]).square()[:, :, None] + (x - yx[:, 1:]).square()[:, None, :]  # (B, H, W)
        table = _products(self.steps, self.std, self.first, (height + 1) ** 2 + (width + 1) ** 2, x0.device)
        last = table.shape[1] - 1
        below = squared.floor().long().clamp(max=last)
        above = (below + 1).clamp(max=last)
        part = (squared - below).clamp(0, 1)

        def after(step: Tensor) -> Tensor:
            rows = (self.steps - step if self.reverse else step)[:, None, None]
            product = torch.lerp(table[rows, below].to(x0.dtype), table[rows, above].to(x0.dtype), part)
            return torch.where(step[:, None, None] == 0, 1, 1 - product) if self.reverse else product

        step, fraction = on_grid(t, self.steps)
        now, then = after(step), after((step + 1).clamp(max=self.steps))
        return torch.lerp(now, then, fraction.to(x0.dtype)[:, None, None])[:, None]

    def prior(self, images: Tensor) -> Prior:
        """Reversed, the fill alone. Else images of the set with their hole: they are restored, not generated."""
        return LatentPrior(self) if self.reverse else ImagePrior(images, self)


@lru_cache(maxsize=4)
def _products(steps: int, std: float, first: int, furthest: int, device: torch.device) -> Tensor:
    """The product of the first 0..steps masks at r^2 = 0, 1, 2, ... pixels: (steps + 1, R).

    R ends at `furthest`, or at 6.5 sigma, beyond which the product is 1 to 1e-9.
    """
    sigma = std * (torch.arange(steps, dtype=torch.float64) + first)
    squared = torch.arange(min(furthest, math.ceil((6.5 * float(sigma[-1])) ** 2)) + 2, dtype=torch.float64)
    product = torch.ones_like(squared)
    table = [product.float()]
    for s in sigma:
        product = product * -torch.expm1(-squared / (2 * s * s))
        table.append(product.float())
    return torch.stack(table).to(device)
