"""A hole that grows from a point: Cold Diffusion's inpainting mask."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from degrade.lazy import torch
from degrade.priors import ImagePrior
from degrade.random import uniform
from degrade.severity import on_grid

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Random


class Centre(NamedTuple):
    yx: Tensor  # (B, 2) pixels: row and column of the hole's centre


@dataclass(frozen=True)
class GaussianMask:
    """x_t = m x0 + (1 - m) colour, m the product over i < s of 1 - exp(-r^2 / 2 sigma_i^2), sigma_i = std (i + first).

    s = t * steps, m linear in t between whole steps; r is the distance from the centre in pixels (Bansal et al. 2022,
    arXiv 2208.09392, section 5.2; published: steps 50, std .1, random centre, and steps 100, std .2, middle).
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

    def __post_init__(self) -> None:
        if self.steps < 1 or self.first < 1 or not self.std > 0:
            raise ValueError(
                f"GaussianMask needs steps >= 1, first >= 1 and std > 0, got {self.steps}, {self.first}, {self.std}."
            )
        if not self.colour:
            raise ValueError("GaussianMask needs a colour of at least one value, got an empty one.")

    def draw(self, x0: Tensor, generator: Random = None) -> Centre:
        """Whole pixels from -1 to S - 1 along a side of S when random; S // 2 - 1 in the middle (as published)."""
        size = torch.tensor(x0.shape[-2:])
        if self.centre == "middle":
            return Centre((size // 2 - 1).expand(len(x0), 2).to(x0))
        u = uniform((len(x0), 2), generator)
        size = size.to(u.device)
        return Centre(((u * (size + 1)).floor().minimum(size) - 1).to(x0))

    def __call__(self, x0: Tensor, t: Tensor, latent: Centre) -> Tensor:
        m = self.mask(x0, t, latent)
        colour = torch.tensor(self.colour, dtype=x0.dtype, device=x0.device).reshape(-1, 1, 1)
        if len(colour) not in (1, x0.shape[1]):
            raise ValueError(f"colour has {len(colour)} values for an image of {x0.shape[1]} channels: give one, or one each.")
        return m * x0 + (1 - m) * colour

    def mask(self, x0: Tensor, t: Tensor, latent: Centre) -> Tensor:
        """m (B, 1, H, W) in [0, 1]: what is left of x0."""
        height, width = x0.shape[-2:]
        y, x = (torch.arange(side, device=x0.device, dtype=x0.dtype) for side in (height, width))
        yx = latent[0].to(x0.dtype)
        squared = (y - yx[:, :1]).square()[:, :, None] + (x - yx[:, 1:]).square()[:, None, :]  # (B, H, W)
        table = _table(self, x0.device)
        last = table.shape[1] - 1
        below = squared.floor().long().clamp(max=last)
        above = (below + 1).clamp(max=last)
        part = (squared - below).clamp(0, 1)

        def after(step: Tensor) -> Tensor:
            rows = step[:, None, None]
            return torch.lerp(table[rows, below].to(x0.dtype), table[rows, above].to(x0.dtype), part)

        step, fraction = on_grid(t, self.steps)
        now, then = after(step), after((step + 1).clamp(max=self.steps))
        return torch.lerp(now, then, fraction.to(x0.dtype)[:, None, None])[:, None]

    def prior(self, images: Tensor) -> ImagePrior:
        """Images of the set with their hole: outside it they are untouched, so they are restored, not generated."""
        return ImagePrior(images, self)


@lru_cache(maxsize=4)
def _table(mask: GaussianMask, device: torch.device) -> Tensor:
    """m after 0..steps masks at r^2 = 0, 1, 2, ... pixels: (steps + 1, R). Beyond 6.5 sigma it is 1 to 1e-9."""
    sigma = mask.std * (torch.arange(mask.steps, dtype=torch.float64) + mask.first)
    squared = torch.arange(math.ceil((6.5 * float(sigma[-1])) ** 2) + 2, dtype=torch.float64)
    product = torch.ones_like(squared)
    table = [product.float()]
    for s in sigma:
        product = product * -torch.expm1(-squared / (2 * s * s))
        table.append(product.float())
    return torch.stack(table).to(device)
