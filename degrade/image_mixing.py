"""Mixing with another image: Cold Diffusion's animorphosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from degrade.checks import checked
from degrade.priors import PartnerPrior
from degrade.random import integers
from degrade.schedules import CosineBeta, Schedule, check_schedule
from degrade.severity import once, per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Other(NamedTuple):
    image: Tensor  # (B, C, *space) in [-1, 1]


@dataclass(frozen=True)
class ImageMixing:
    """x_t = alpha(t) x0 + sigma(t) y, y another image (Bansal et al. 2022, arXiv 2208.09392, section 5.3)."""

    schedule: Schedule = field(default_factory=lambda: CosineBeta(200))
    """alpha(t) and sigma(t); published: cosine, 200 steps."""

    def __post_init__(self) -> None:
        check_schedule(self.schedule)

    @property
    def partners(self) -> int:
        return 1

    def draw(self, x0: Tensor, generator: Random = None) -> Other:
        """Partners from among what is there; in training, a coupling puts other images in their place (`degrade.couplings`).

        With one generator for the batch each sample's partner is another sample, by a cyclic shift. With one for each, where
        a sample must not depend on the others, and in a batch of one, it is the image itself, mirrored along each axis.
        """
        if len(x0) == 1 or isinstance(generator, Sequence):
            return Other(x0.flip(tuple(range(2, x0.ndim))))
        shift = 1 + int(integers(len(x0) - 1, (1,), generator))
        return Other(x0.roll(shift, dims=0))

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return once(self.schedule.coefficients, t)

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return once(self.schedule.derivatives, t)

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Other) -> Tensor:
        (image,) = latent
        alpha, sigma = self.coefficients(t)
        return per_sample(alpha, x0) * x0 + per_sample(sigma, x0) * image

    def estimate(self, x_t: Tensor, x0: Tensor, t: Tensor) -> Other:
        """y = (x_t - alpha x0) / sigma, for t > 0."""
        alpha, sigma = self.coefficients(t)
        return Other((x_t - per_sample(alpha, x0) * x0) / per_sample(sigma, x0))

    def prior(self, images: Tensor) -> PartnerPrior:
        """An image y of the set, which is both x at t = 1 and the latent."""
        return PartnerPrior(images)
