"""Nothing is undone: what an autoencoder learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.checks import checked
from degrade.priors import ImagePrior
from degrade.tree import NoLatent

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


@dataclass(frozen=True)
class Identity:
    """x_t = x0 at every severity: a network that restores from it gives its own reconstruction of the image."""

    def draw(self, x0: Tensor, generator: Random = None) -> NoLatent:
        return NoLatent()

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: NoLatent = NoLatent()) -> Tensor:  # noqa: B008
        return x0.clone()

    def prior(self, images: Tensor) -> ImagePrior:
        """The images themselves."""
        return ImagePrior(images, self)
