"""Loss of resolution: pixels that double in size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.checks import checked, images_only
from degrade.lazy import torch
from degrade.priors import ThumbnailPrior
from degrade.severity import on_grid, per_sample
from degrade.tree import NoLatent

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@dataclass(frozen=True)
class Pixelate:
    """x_t after s = t steps stages; stage i reduces its input to H/2^(i+1) x W/2^(i+1) and repeats the pixels to H x W.

    Bansal et al. 2022, arXiv 2208.09392, section 5.4; published: steps 3 at 32 px, 4 at 128 px. Sides are rounded down and
    end at 1 pixel. Between whole steps the two stages are blended. All stages are computed for every t.
    """

    steps: int = 3
    """Halvings at t = 1."""
    mode: Literal["bicubic", "bilinear", "area"] = "bicubic"
    """How the image is reduced; bicubic and bilinear without antialiasing, as published."""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 30:
            raise ValueError(f"Pixelate needs 1 to 30 steps, which double the pixels each; got {self.steps}.")
        if self.mode not in ("bicubic", "bilinear", "area"):
            raise ValueError(f"mode of Pixelate is 'bicubic', 'bilinear' or 'area', got {self.mode!r}.")

    def draw(self, x0: Tensor, generator: Random = None) -> NoLatent:
        return NoLatent()

    @images_only
    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: NoLatent = NoLatent()) -> Tensor:  # noqa: B008
        stages = [x0]
        for i in range(self.steps):
            small = torch.nn.functional.interpolate(stages[-1], self._size(x0, i + 1), mode=self.mode)
            stages.append(torch.nn.functional.interpolate(small, x0.shape[-2:], mode="nearest-exact"))
        step, fraction = on_grid(t, self.steps)
        every, sample = torch.stack(stages), torch.arange(len(x0), device=x0.device)
        now, then = every[step, sample], every[(step + 1).clamp(max=self.steps), sample]
        return torch.lerp(now, then, per_sample(fraction, x0))

    def _size(self, x: Tensor, halvings: int) -> tuple[int, int]:
        return max(1, x.shape[-2] >> halvings), max(1, x.shape[-1] >> halvings)

    def prior(self, images: Tensor) -> ThumbnailPrior:
        """A Gaussian over the images as small as at t = 1, its pixels repeated."""
        return ThumbnailPrior.fit(images, self._size(images, self.steps), enlarge="nearest-exact", degradation=self)
