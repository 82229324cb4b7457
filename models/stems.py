"""Stems: any network on images that were made smaller and deeper first, and back again after it.

A stem passes on every part of a condition; of a picture, the pixels of each square as so many channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import Condition
from models.layers.basic import pad_to_multiple
from models.layers.wavelet import unwavelet, wavelet


class Wavelets(nn.Module):
    """net on the 5/3 wavelet bands of x, `levels` times: channels times 4^levels, sides halved as often."""

    def __init__(self, network: nn.Module, levels: int) -> None:
        super().__init__()
        self.network = network
        self.accepts = getattr(network, "accepts", ())
        self.levels = levels

    def embedded(self, condition: Condition) -> Condition:
        return self.network.embedded(condition)  # type: ignore[operator]

    def forward(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        sizes = []
        for _ in range(self.levels):
            sizes.append(x.shape[-2:])
            x = wavelet(x)
        x = self.network(x, t, *(_squared(one, 2**self.levels) for one in condition))
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
        self.accepts = getattr(network, "accepts", ())
        self.patch = patch
        self.into = nn.Conv2d(image_channels, channels, patch, stride=patch)
        self.back = nn.ConvTranspose2d(channels, image_channels, patch, stride=patch)
        nn.init.orthogonal_(self.into.weight)
        with torch.no_grad():
            self.back.weight.copy_(self.into.weight)
            for layer in (self.into, self.back):
                layer.bias.zero_()  # type: ignore[union-attr]

    def embedded(self, condition: Condition) -> Condition:
        return self.network.embedded(condition)  # type: ignore[operator]

    def forward(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        height, width = x.shape[-2:]
        told = (_squared(one, self.patch) for one in condition)
        h = self.network(self.into(pad_to_multiple(x, self.patch)), t, *told)
        return self.back(h)[..., :height, :width]


def _squared(condition: Condition, side: int) -> Condition:
    """The condition, its picture as small as what the network sees: squares of `side` x `side` pixels become channels."""
    if condition.image is None:
        return condition
    return condition._replace(image=F.pixel_unshuffle(pad_to_multiple(condition.image, side), side))
