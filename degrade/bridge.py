"""A bridge: from a clean image to a degraded one that it is paired with, with noise in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from degrade.checks import bounded, checked
from degrade.gaussian_noise import Noise
from degrade.image_mixing import ImageMixing, Other
from degrade.priors import BridgePrior
from degrade.random import normal
from degrade.severity import per_sample, wide
from degrade.transfer import like

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Ends(NamedTuple):
    other: Other  # the image at t = 1
    noise: Noise


@dataclass(frozen=True)
class Bridge:
    """x_t = (1 - u) x0 + u y + sqrt(v u (1 - u)) eps, a Brownian bridge from x0 to y.

    I2SB: Liu et al. 2023, arXiv 2302.05872, eq. 11. u = v(t) / v is the share of the variance v = v(1) that has been added up
    to t, at a rate of (sqrt(least) + (sqrt(most) - sqrt(least)) t)^2 up to the middle, from where it falls as it rose: the
    published code's, in which `most` is called beta_max, and `least` is .1. y is the picture that x0 is paired
    with (`Recipe.paired`): what turns one into the other need not be known.
    """

    least: float = 0.1
    """The rate at both ends."""
    most: float = 0.3
    """What the rate would have risen to at t = 1, if it did not turn in the middle: larger is more noise."""

    def __post_init__(self) -> None:
        bounded(self, least=(1e-6, 100), most=(1e-6, 100))

    @property
    def partners(self) -> int:
        return 1

    def draw(self, x0: Tensor, generator: Random = None) -> Ends:
        """Noise, and what ImageMixing draws; in training, a coupling puts the pictures that are paired in its place."""
        return Ends(ImageMixing().draw(x0, generator), Noise(like(normal(x0.shape, generator), x0)))

    def variance(self, t: Tensor) -> Tensor:
        """v(t) (B,), in float64: 0 at t = 0."""
        t = wide(t)
        half = self._half(t.clamp(max=0.5))
        return half + (t > 0.5) * (self._half(t.new_full((), 0.5)) - self._half(1 - t.clamp(min=0.5)))

    def _half(self, t: Tensor) -> Tensor:
        """The integral of the rate from 0 to t <= 1/2, b/3 ((p + q t)^3 - p^3) / q written without a difference of cubes."""
        p, q = self.least**0.5, self.most**0.5 - self.least**0.5
        return t * (p * p + p * q * t + (q * t).square() / 3)

    def _share(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """u (B,) and v, in float64."""
        total = self.variance(wide(t).new_ones(()))
        return self.variance(t) / total, total

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: Ends) -> Tensor:
        (image,), (eps,) = latent
        u, total = self._share(t)
        spread = (total * u * (1 - u)).clamp(min=0).sqrt()
        return per_sample(1 - u, x0) * x0 + per_sample(u, x0) * image + per_sample(spread, x0) * eps

    def estimate(self, x_t: Tensor, x0: Tensor, t: Tensor) -> Ends:
        """y = (x_t - (1 - u) x0) / u without noise, for t > 0: at t = 1 it is y, below it the mean of what y may be."""
        u, _ = self._share(t)
        image = (x_t - per_sample(1 - u, x_t) * x0) / per_sample(u, x_t)
        return Ends(Other(image), Noise(image.new_zeros(image.shape)))

    def posterior(self, x_t: Tensor, x0: Tensor, t: Tensor, s: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
        """v_s/v_t x_t + (1 - v_s/v_t) x0 and eta sqrt(v_s (v_t - v_s) / v_t): the bridge from x0 to x_t, whatever y is.

        arXiv 2302.05872, eq. 4. At eta = 0 the mean alone, the published code's deterministic walk."""
        before, after = self.variance(t), self.variance(s)
        share = after / before
        mean = per_sample(share, x_t) * x_t + per_sample(1 - share, x_t) * x0
        return mean, eta * (after * (1 - share)).clamp(min=0).sqrt()

    def prior(self, images: Tensor) -> BridgePrior:
        """A picture y that was paired with one of the set."""
        return BridgePrior(images)
