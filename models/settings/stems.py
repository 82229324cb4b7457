"""Settings of the stems: what makes images smaller and deeper for any network, and its output an image again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models.settings.bounds import optional, positive
from models.settings.network import NetworkSettings, network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class WaveletStem:
    """The network sees the bands of an invertible 5/3 wavelet."""

    levels: int = 1
    """Times that the sides are halved, and the channels multiplied by 4."""

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 4:
            raise ValueError(f"a wavelet stem halves the sides 1 to 4 times, got {self.levels}.")

    @property
    def stride(self) -> int:
        """Pixels of the image to a pixel of the network, along each side."""
        return 2**self.levels

    def build(self, inner: NetworkSettings) -> nn.Module:
        """The network of `inner` within the stem. Raises ValueError for one that takes a picture as its condition."""
        return network("models.stems:Wavelets", _of_channels(inner, inner.image_channels * 4**self.levels), self.levels)


@dataclass(frozen=True)
class PatchStem:
    """The network sees squares of pixels through a strided convolution, and its output goes through the transpose of one."""

    patch: int = 2
    """Side of the squares, pixels."""
    channels: int = 0
    """Channels that the network sees; 0: as many as there are numbers in a square."""

    def __post_init__(self) -> None:
        positive(self, "patch")
        optional(self, "channels")

    @property
    def stride(self) -> int:
        """Pixels of the image to a pixel of the network, along each side."""
        return self.patch

    def build(self, inner: NetworkSettings) -> nn.Module:
        """The network of `inner` within the stem. Raises ValueError for one that takes a picture as its condition."""
        channels = self.channels or inner.image_channels * self.patch**2
        return network("models.stems:Patches", _of_channels(inner, channels), self.patch, inner.image_channels, channels)


def _of_channels(inner: NetworkSettings, channels: int) -> nn.Module:
    if getattr(inner, "picture", 0):
        raise ValueError(
            "a stem does not make a picture condition smaller: leave out the stem, or set the network's picture to 0."
        )
    return replace(inner, image_channels=channels).build()  # type: ignore[type-var]
