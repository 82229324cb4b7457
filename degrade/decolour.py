"""Loss of colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from degrade.checks import bounded, checked
from degrade.lazy import torch
from degrade.priors import ImagePrior
from degrade.severity import on_grid, per_sample, wide
from degrade.tree import NoLatent

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@dataclass(frozen=True)
class Decolour:
    """x_t = a(t) x0 + (1 - a(t)) grey(x0): the saturation a falls from 1 at t = 0.

    Bansal et al. 2022, arXiv 2208.09392, appendix; published: linear, 20 steps. In "rgb" grey is the mean of the channels
    (no weights for luminance), for any number of channels. In "lab" the chroma a*, b* of CIELAB is scaled instead and the
    lightness L* stays (3 channels, sRGB).
    """

    fade: Literal["linear", "geometric"] = "linear"
    """a(t) = 1 - t, or factor^(t steps)."""
    factor: float = 0.9
    """Saturation kept by each geometric step."""
    steps: int = 20
    """Geometric steps at t = 1."""
    grey_at_end: bool = True
    """Whether the last geometric step removes the colour that is left."""
    space: Literal["rgb", "lab"] = "rgb"
    """Where colour is removed."""

    def __post_init__(self) -> None:
        if self.fade not in ("linear", "geometric") or self.space not in ("rgb", "lab"):
            raise ValueError(
                f"Decolour has the fades 'linear' and 'geometric' and the spaces 'rgb' and 'lab', "
                f"got {self.fade!r} and {self.space!r}."
            )
        if not 0 < self.factor < 1 or self.steps < 1:
            raise ValueError(f"Decolour needs a factor in (0, 1) and steps >= 1, got {self.factor} and {self.steps}.")
        bounded(self, steps=(1, 1_000_000))

    def saturation(self, t: Tensor) -> Tensor:
        """a(t) (B,), float64."""
        if self.fade == "linear":
            return 1 - wide(t)
        step, fraction = on_grid(t, self.steps)
        place = step + fraction
        if not self.grey_at_end:
            return self.factor**place
        left = (self.steps - place).clamp(0, 1)  # 1 up to the last step but one, then falling to 0
        return self.factor ** place.clamp(max=self.steps - 1) * left

    def draw(self, x0: Tensor, generator: Random = None) -> NoLatent:
        return NoLatent()

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: NoLatent = NoLatent()) -> Tensor:  # noqa: B008
        lost = 1 - self.saturation(t)
        if self.space == "rgb":
            return x0 + per_sample(lost, x0) * (x0.mean(1, keepdim=True) - x0)
        return x0 + _chroma_change(x0, lost)

    def prior(self, images: Tensor) -> ImagePrior:
        """Images of the set without their colour: the picture is known, so it is restored, not generated."""
        return ImagePrior(images, self)


def _chroma_change(x: Tensor, lost: Tensor) -> Tensor:
    """What x (B, 3, *space) changes by when the share `lost` (B,) of its chroma goes: 0 for lost = 0, exactly."""
    from kornia.color import lab_to_rgb, rgb_to_lab

    if x.shape[1] != 3:
        raise ValueError(f"Decolour in Lab needs images of 3 channels (sRGB), got {x.shape[1]}. Use space='rgb'.")
    flat = x.flatten(2)[..., None]  # (B, 3, N, 1): images, to kornia
    light, chroma = rgb_to_lab((flat + 1) / 2).split([1, 2], dim=1)
    before = lab_to_rgb(torch.cat([light, chroma], 1), clip=False)
    after = lab_to_rgb(torch.cat([light, chroma * (1 - per_sample(lost, flat))], 1), clip=False)
    return (2 * (after - before)).reshape(x.shape)
