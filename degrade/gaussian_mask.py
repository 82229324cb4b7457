"""A hole that grows from a point: Cold Diffusion's inpainting mask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from degrade.checks import bounded, checked, images_only
from degrade.fading import located, unfaded
from degrade.lazy import torch
from degrade.priors import ImagePrior, LatentPrior
from degrade.random import uniform
from degrade.severity import on_grid, wide
from degrade.transfer import like, moved

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Prior
    from degrade.random import Random

NODES = 32  # of the table, as log(1 + r^2 / 2 sigma_0^2) grows by 1


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

    m depends on r / std and s alone: it is read from one small table, whatever the size and t, to 1e-6 (up to 3000 steps).
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
        if len(self.colour) not in (1, channels):
            raise ValueError(
                f"colour has {len(self.colour)} values for an image of {channels} channels: give one, or one each."
            )
        if self.centre == "middle":
            yx = torch.tensor([side // 2 - 1 for side in x0.shape[-2:]]).expand(batch, 2)
        else:
            u = uniform((batch, 2), generator)
            rows, columns = ((u[:, i] * (side + 1)).floor().clamp(max=side) - 1 for i, side in enumerate(x0.shape[-2:]))
            yx = torch.stack([rows, columns], 1)
        fill = torch.tensor(self.colour).expand(channels).reshape(1, -1, 1, 1).expand(batch, -1, -1, -1)
        if self.spread > 0:
            u = uniform((batch, channels, 1, 1), generator)
            fill = like(fill, u) + self.spread * (2 * u - 1)
        return Hole(moved(yx, x0.device, torch.float32), like(fill, x0))

    @images_only
    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Hole) -> Tensor:
        m, (_, fill) = self.mask(x0, t, latent), latent
        return m * x0 + (1 - m) * fill

    def mask(self, x0: Tensor, t: Tensor, latent: Hole) -> Tensor:
        """m (B, 1, H, W) in [0, 1], float32: what is left of x0."""
        table = _products(self.steps, self.first, x0.device)

        def after(step: Tensor) -> Tensor:
            if not self.reverse:
                return table[step]
            return torch.where(step[:, None] == 0, 1, 1 - table[self.steps - step])

        step, fraction = on_grid(t, self.steps)
        now, then = after(step), after((step + 1).clamp(max=self.steps))
        profile = torch.lerp(now, then, fraction.float()[:, None])
        y, x = (  # distances in units of the first standard deviation, each (B, side)
            (torch.arange(side, device=x0.device) - wide(latent[0])[:, i, None]) / (self.std * self.first)
            for i, side in enumerate(x0.shape[-2:])
        )
        place = NODES * torch.log1p((y.square()[:, :, None] + x.square()[:, None, :]) / 2)
        return _read(profile, place)[:, None]

    def cover(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Hole]:
        """x with its hole in `colour`, and a hole around the mask's centre of gravity."""
        colour = like(torch.tensor(self.colour), x).expand(x.shape[1]).reshape(1, -1, 1, 1).expand(len(x), -1, -1, -1)
        weight = mask.to(x).expand(len(x), -1, -1, -1)
        total = weight.sum((1, 2, 3))
        rows, columns = (torch.arange(side, device=x.device, dtype=x.dtype) for side in x.shape[-2:])
        y, z = (weight.sum((1, 3)) @ rows / total).round(), (weight.sum((1, 2)) @ columns / total).round()
        return torch.lerp(x, colour, weight), Hole(torch.stack([y, z], 1), colour)

    def read(self, x_t: Tensor, t: Tensor) -> Hole:
        """The hole of x_t: the whole pixel that its profile fits best around, and the colour within +- spread of `colour`."""
        batch, channels, height, width = x_t.shape
        colour = torch.tensor(self.colour).expand(channels)
        if self.centre == "middle" and not self.spread:
            return self.draw(x_t)
        middle = torch.tensor([[height, width]], device=x_t.device).expand(batch, 2)
        around = torch.zeros(batch, 1, 2 * height + 1, 2 * width + 1, device=x_t.device)
        m = self.mask(around, t, Hole(middle, colour))[:, 0]
        yx, fill = located(x_t.float(), m, colour - self.spread, colour + self.spread)
        return Hole(yx if self.centre == "random" else self.draw(x_t).yx, fill.to(x_t))

    def undo(self, x_t: Tensor, t: Tensor, latent: Hole) -> tuple[Tensor, Tensor]:
        """x0 where at least .05 of it is left, so that rounding to 8 bits stays small, and where that is."""
        return unfaded(x_t, self.mask(x_t, t, latent), latent.fill)

    def prior(self, images: Tensor) -> Prior:
        """Reversed, the fill alone. Else images of the set with their hole: they are restored, not generated."""
        return LatentPrior(self) if self.reverse else ImagePrior(images, self)


@lru_cache(maxsize=1)
def _products(steps: int, first: int, device: torch.device) -> Tensor:
    """The product of the first 0..steps masks: (steps + 1, K + 5), 1.5 MiB for 750 steps, 27 MiB for 10000.

    K nodes from r = 0 to 6.5 sigma of the last mask, beyond which the product is 1 to 1e-8, two before and three after those.
    They are evenly spaced in log(1 + r^2 / 2 sigma_0^2), in which no mask is narrower than the first.
    """
    growth = (torch.arange(steps, dtype=torch.float64) + first) / first  # sigma_i / sigma_0
    last = math.ceil(NODES * math.log1p((6.5 * float(growth[-1])) ** 2 / 2))
    halved = torch.expm1(torch.arange(-2, last + 4, dtype=torch.float64) / NODES)  # r^2 / 2 sigma_0^2
    masks = -torch.expm1(-halved / growth.square()[:, None])
    return torch.cat([torch.ones_like(masks[:1]), masks]).cumprod(0).float().to(device)


@lru_cache(maxsize=1)
def _lagrange(device: torch.device) -> Tensor:
    """Coefficients of f^0, ..., f^5 (6, 6) of the polynomial through values at f = -2, ..., 3."""
    powers = torch.arange(-2, 4, dtype=torch.float64)[:, None] ** torch.arange(6)
    return torch.linalg.inv(powers).float().to(device)


def _read(rows: Tensor, place: Tensor) -> Tensor:
    """The rows (B, K + 5) at `place` (B, H, W) in 0..K - 1, the last beyond: the polynomial through the six nodes around it.

    Exact at the nodes, and where a row is constant.
    """
    windows = rows.unfold(1, 6, 1)
    here = windows[..., 2]
    rise = torch.einsum("bkn,dn->dbk", windows - here[..., None], _lagrange(rows.device)[1:])
    place = place.clamp(max=here.shape[1] - 1)
    k = place.long()
    f, k = (place - k).to(rows), k.flatten(1)
    value = torch.zeros_like(f)
    for coefficient in (*rise.flip(0), here):
        value = value * f + coefficient.gather(1, k).view_as(f)
    return value.clamp(0, 1)
