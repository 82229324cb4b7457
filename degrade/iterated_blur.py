"""Cold Diffusion's blur: a chain of truncated Gaussian kernels, applied as one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from degrade.checks import bounded, checked, images_only
from degrade.lazy import torch
from degrade.priors import ThumbnailPrior
from degrade.severity import on_grid, per_sample, wide_dtype
from degrade.spectral import Border, filter_axes, frequencies
from degrade.tree import NoLatent

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@dataclass(frozen=True)
class IteratedBlur:
    """x_t = x0 * k_0 * ... * k_{s-1}, s = t steps, k_i a separable Gaussian of `size` taps and standard deviation std_i.

    Bansal et al. 2022, arXiv 2208.09392, section 5.1. Each kernel is sampled at whole pixels, cut to `size` taps and
    normalised to sum 1. Convolutions compose: the transfer functions h_i(omega) = sum_j k_ij cos(j omega) are multiplied
    once, so all s kernels cost as much as one. Between whole steps the next kernel is mixed with the identity.

    | published for | steps | size | growth | first | rate | border | mean_at_end |
    | --- | --- | --- | --- | --- | --- | --- | --- |
    | MNIST | 20 | 11 | linear | 7 | 0 | circular | no |
    | CIFAR-10 | 50 | 11 | linear | .35 | .01 | reflect | no |
    | CelebA 128 | 200 | 15 | exponential | 1 | .01 | reflect | no |
    | generation | 300 | 27 | exponential | 1 | .01 | circular | yes |
    """

    steps: int = 200
    """Kernels applied at t = 1."""
    size: int = 15
    """Taps of each kernel along an axis, odd."""
    growth: Literal["linear", "exponential"] = "exponential"
    """std_i = first + rate i, or first exp(rate i)."""
    first: float = 1.0
    """Standard deviation of the first kernel, pixels."""
    rate: float = 0.01
    """Growth from one kernel to the next; 0 for kernels that are all alike."""
    border: Border = "reflect"
    """What lies beyond the edge: the image mirrored (edge pixel not repeated), or wrapped around."""
    mean_at_end: bool = False
    """Whether x at t = 1 is the mean of each channel."""

    def __post_init__(self) -> None:
        if self.growth not in ("linear", "exponential"):
            raise ValueError(f"growth of IteratedBlur is 'linear' or 'exponential', got {self.growth!r}.")
        if self.border not in ("reflect", "circular"):
            raise ValueError(f"border of IteratedBlur is 'reflect' or 'circular', got {self.border!r}.")
        if not 1 <= self.steps <= 10_000 or not 3 <= self.size <= 1023 or self.size % 2 == 0:
            raise ValueError(
                f"IteratedBlur needs 1 to 10000 steps and an odd size of 3 to 1023, got {self.steps} and {self.size}."
            )
        if not (self.first > 0 and self.rate >= 0):
            raise ValueError(f"IteratedBlur needs first > 0 and rate >= 0, got {self.first} and {self.rate}.")
        bounded(self, first=(1e-3, 65_536), rate=(0, 1000))

    def stds(self) -> Tensor:
        """std_i (steps,) in pixels, float64."""
        i = torch.arange(self.steps, dtype=torch.float64)
        return self.first + self.rate * i if self.growth == "linear" else self.first * torch.exp(self.rate * i)

    def kernels(self) -> Tensor:
        """k_i (steps, size), float64."""
        offset = torch.arange(self.size, dtype=torch.float64) - self.size // 2
        weight = torch.exp(-offset.square() / (2 * self.stds()[:, None].square()))
        return weight / weight.sum(1, keepdim=True)

    def width(self) -> float:
        """The standard deviation of all kernels together, pixels: variances add. Cut kernels are narrower than std_i."""
        offset = torch.arange(self.size, dtype=torch.float64) - self.size // 2
        return float((self.kernels() * offset.square()).sum().sqrt())

    def draw(self, x0: Tensor, generator: Random = None) -> NoLatent:
        return NoLatent()

    @images_only
    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: NoLatent = NoLatent()) -> Tensor:  # noqa: B008
        step, fraction = on_grid(t, self.steps)

        def change(period: int) -> Tensor:
            table = _composed(self, period, x0.device)
            return torch.lerp(table[step], table[(step + 1).clamp(max=self.steps)], fraction.to(table)[:, None])

        x = filter_axes(x0, change, self.border)
        if not self.mean_at_end:
            return x
        last = (step - (self.steps - 1) + fraction).clamp(0, 1)  # 0 up to the last step but one, 1 at t = 1
        return torch.lerp(x, x0.mean((-2, -1), keepdim=True).expand_as(x), per_sample(last, x))

    def prior(self, images: Tensor) -> ThumbnailPrior:
        """Gaussians over the mean colours of the images if that is all that is left at t = 1, else over thumbnails of them."""
        if self.mean_at_end:
            return ThumbnailPrior.fit(images, (1, 1), degradation=self)
        return ThumbnailPrior.of_blurred(images, self, self.width(), self.border)


LARGEST_TABLE = 2**25
"""Transfer functions by pixels along a side."""


@lru_cache(maxsize=16)
def _composed(blur: IteratedBlur, period: int, device: torch.device) -> Tensor:
    """Products of the first 0..steps transfer functions, minus one, at the frequencies of `period`: (steps + 1, K)."""
    if blur.steps * period > LARGEST_TABLE:
        raise ValueError(
            f"IteratedBlur holds {blur.steps} kernels for sides of {period} pixels: take fewer steps, or smaller images."
        )
    kernels = blur.kernels()[: blur.steps - blur.mean_at_end]
    offset = torch.arange(blur.size, dtype=torch.float64) - blur.size // 2
    transfer = kernels @ torch.cos(offset[:, None] * frequencies(period, torch.device("cpu")))  # (steps, K)
    table = torch.cat([torch.ones_like(transfer[:1]), transfer]).cumprod(0) - 1
    if blur.mean_at_end:
        table = torch.cat([table, table[-1:]])
    return table.to(device, wide_dtype(device))
