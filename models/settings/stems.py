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
        """The network of `inner` within the stem."""
        return network("models.stems:Wavelets", _inside(inner, inner.image_channels * 4**self.levels, self.stride), self.levels)


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
        """The network of `inner` within the stem."""
        channels = self.channels or inner.image_channels * self.patch**2
        return network(
            "models.stems:Patches", _inside(inner, channels, self.stride), self.patch, inner.image_channels, channels
        )


def _inside(inner: NetworkSettings, channels: int, stride: int) -> nn.Module:
    """The network of `inner` for images of so many channels; a picture that it takes is squared too."""
    picture = getattr(inner, "picture", 0)
    told = {"picture": picture * stride**2} if picture else {}
    return replace(inner, image_channels=channels, **told).build()  # type: ignore[type-var]
