"""A small convolutional autoencoder with a Gaussian posterior, and the patch discriminator that it may be trained against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.layers.basic import pad_to_multiple, zero
from models.settings.autoencoder import AutoencoderConfig

Noise = Callable[[torch.Size], Tensor]
"""Draws standard normal numbers of a shape."""


class Verdict(NamedTuple):
    """What the discriminator says of patches, (B, 1, h, w) each: above 0 for real ones."""

    real: Tensor
    """Of images."""
    made: Tensor
    """Of their reconstructions, which are constants here: what the discriminator learns from."""
    heard: Tensor
    """The same with its weights as constants: what the autoencoder learns from."""


class Coded(NamedTuple):
    """Images through the bottleneck, with all that training looks at."""

    images: Tensor
    mean: Tensor
    std: Tensor
    verdict: Verdict | None


class Autoencoder(nn.Module):
    """net(x (B, C, H, W), t) -> its reconstruction (B, C, H, W), for any H and W, whatever the severity t.

    q(z|x) = N(mean, std^2), z (B, D, H/f, W/f). Sides that are no multiple of the stride f are padded with zeros at the bottom
    and right, and cropped back.
    """

    def __init__(self, config: AutoencoderConfig = AutoencoderConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        widths, latents = config.widths, config.latent_channels
        down: list[nn.Module] = [nn.Conv2d(config.image_channels, widths[0], 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(latents, widths[-1], 3, padding=1)]
        for width, following in zip(widths, (*widths[1:], None), strict=True):
            down += [Block(width, config.groups) for _ in range(config.blocks)]
            down += [nn.Conv2d(width, following, 2, stride=2)] if following else []
        for width, following in zip(widths[::-1], (*widths[-2::-1], None), strict=True):
            up += [Block(width, config.groups) for _ in range(config.blocks)]
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(width, following, 3, padding=1)] if following else []
        self.encoder = nn.Sequential(*down, *_out(widths[-1], 2 * latents, config.groups))
        self.decoder = nn.Sequential(*up, *_out(widths[0], config.image_channels, config.groups))
        self.adversary = discriminator(config) if config.adversary else None

    def forward(
        self, x: Tensor, t: Tensor | None = None, noise: Noise | None = None, real: Tensor | None = None
    ) -> Tensor | Coded:
        """With `noise`, z is a draw, and all that training looks at is given: where there is a discriminator, its verdict on
        `real` images (default: x) too."""
        mean, std = self.encode(pad_to_multiple(x, self.config.stride))
        z = mean if noise is None else mean + std * noise(mean.shape).to(mean)
        images = self.decode(z)[..., : x.shape[-2], : x.shape[-1]]
        if noise is None:
            return images
        return Coded(images, mean, std, self.verdict(x if real is None else real, images))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of images, whose sides are multiples of the stride."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, torch.exp(0.5 * log_variance.clamp(-30, 20))

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents)

    def verdict(self, real: Tensor, made: Tensor) -> Verdict | None:
        if self.adversary is None:
            return None
        constants = {name: weight.detach() for name, weight in self.adversary.named_parameters()}
        heard = torch.func.functional_call(self.adversary, constants, (made,))
        return Verdict(self.adversary(real), self.adversary(made.detach()), heard)


class Block(nn.Module):
    """x + what norm, SiLU and convolution, twice, make of it."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        norms = (nn.GroupNorm(groups, width) for _ in range(2))
        self.layers = nn.Sequential(next(norms), nn.SiLU(), first, next(norms), nn.SiLU(), zero(last))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def discriminator(config: AutoencoderConfig) -> nn.Sequential:
    """One score for each patch (Isola et al. 2017, arXiv 1611.07004, section 3.2), with group norm in place of batch norm, so
    that images do not depend on each other."""
    width, groups = config.adversary, config.groups
    return nn.Sequential(
        *(nn.Conv2d(config.image_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(width, 2 * width, 4, 2, 1), nn.GroupNorm(groups, 2 * width), nn.LeakyReLU(0.2)),
        nn.Conv2d(2 * width, 1, 3, padding=1),
    )


def _out(width: int, channels: int, groups: int) -> tuple[nn.Module, ...]:
    return nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)
