"""An operator, a sampler and a network that the project does not know, as a user's file defines them."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from degrade import ImagePrior, NoLatent
from degrade.checks import check
from degrade.severity import per_sample, wide


@dataclass(frozen=True)
class Darken:
    """x_t = x0 - strength t (x0 + 1): towards black."""

    strength: float = 0.9

    def draw(self, x0, generator=None):
        return NoLatent()

    def __call__(self, x0, t, latent=NoLatent()):  # noqa: B008
        check(x0, t, latent)
        return x0 - per_sample(self.strength * wide(t), x0) * (x0 + 1)

    def prior(self, images):
        return ImagePrior(images, self)


class Walked(NamedTuple):
    x: Tensor
    latent: tuple


@dataclass(frozen=True)
class Lazy:
    """x_s = x_t + share (D(x0_hat, s, z) - x_t)."""

    share: float = 0.5

    def init(self, start):
        return Walked(start.x, start.latent)

    def step(self, restore, degradation, state, t, s, generator=None):
        x0 = restore(state.x, t)
        return Walked(state.x + self.share * (degradation(x0, s, state.latent) - state.x), state.latent)


@dataclass(frozen=True)
class OneLayer:
    """A convolution."""

    image_channels: int = 3
    side: int = 3
    stride: int = 1

    def build(self):
        return Network(self)


class Network(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.layer = nn.Conv2d(settings.image_channels, settings.image_channels, settings.side, padding=settings.side // 2)

    def forward(self, x, t):
        return self.layer(x)
