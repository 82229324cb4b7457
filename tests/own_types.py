"""One of each kind of type that the project does not know, as a user's file defines them."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from degrade import ImagePrior, NoLatent
from degrade.checks import check
from degrade.severity import per_sample, wide
from degrade.tree import tree_map
from models.layers.wavelet import unwavelet, wavelet


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
        self.halo = settings.side // 2
        self.layer = nn.Conv2d(settings.image_channels, settings.image_channels, settings.side, padding=settings.side // 2)

    def forward(self, x, t):
        return self.layer(x)


@dataclass(frozen=True)
class Powers:
    """t_i = start (1 - i/steps)^power."""

    power: float = 2.0

    def times(self, steps, start, degradation):
        return start * torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** self.power


@dataclass(frozen=True)
class Bands:
    """x is the four bands of a wavelet, at half the size: a space as an autoencoder's latents are one."""

    gain: float = 0.5

    @property
    def stride(self):
        return 2

    @property
    def limits(self):
        return None

    def channels(self, image_channels):
        return 4 * image_channels

    def encode(self, images):
        return self.gain * wavelet(images)

    def decode(self, x):
        return unwavelet(x / self.gain, 2 * x.shape[-2], 2 * x.shape[-1])


@dataclass(frozen=True)
class Signed:
    """A latent that lies on the image's side of 0: z = e sign(e . x0), e the degradation's own draw."""

    def couple(self, batch, degradation, generator=None):
        def signed(z):
            return z * per_sample((z * batch.x0).flatten(1).sum(1).sign(), z)

        return tree_map(signed, degradation.draw(batch.x0, generator))
