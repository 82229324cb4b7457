"""Stems: any network on images that were made smaller and deeper first, and back again after it.

A stem passes on every part of a condition but a picture, whose pixels are not those that the network sees.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.condition import Condition
from models.layers.basic import pad_to_multiple
from models.layers.wavelet import unwavelet, wavelet


class Wavelets(nn.Module):
    """net on the 5/3 wavelet bands of x, `levels` times: channels times 4^levels, sides halved as often."""

    def __init__(self, network: nn.Module, levels: int) -> None:
        super().__init__()
        self.network = network
        self.accepts = accepted_through(network)
        self.levels = levels

    def forward(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        sizes = []
        for _ in range(self.levels):
            sizes.append(x.shape[-2:])
            x = wavelet(x)
        x = self.network(x, t, *condition)
        for height, width in reversed(sizes):
            x = unwavelet(x, height, width)
        return x


class Patches(nn.Module):
    """net between a strided convolution, which makes squares of `patch` x `patch` pixels into `channels`, and its transpose.

    They start as an orthogonal map of each square and its transpose: each other's inverse unless channels are lost.
    """

    def __init__(self, network: nn.Module, patch: int, image_channels: int, channels: int) -> None:
        super().__init__()
        self.network = network
        self.accepts = accepted_through(network)
        self.patch = patch
        self.into = nn.Conv2d(image_channels, channels, patch, stride=patch)
        self.back = nn.ConvTranspose2d(channels, image_channels, patch, stride=patch)
        nn.init.orthogonal_(self.into.weight)
        with torch.no_grad():
            self.back.weight.copy_(self.into.weight)
            for layer in (self.into, self.back):
                layer.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        height, width = x.shape[-2:]
        h = self.network(self.into(pad_to_multiple(x, self.patch)), t, *condition)
        return self.back(h)[..., :height, :width]


def accepted_through(network: nn.Module) -> tuple[str, ...]:
    """The parts of a condition that a stem passes on to its network."""
    return tuple(part for part in getattr(network, "accepts", ()) if part != "image")
