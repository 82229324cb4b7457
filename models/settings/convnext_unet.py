"""Settings of the ConvNeXt U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.settings.bounds import check_width, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ConvNeXtUNetConfig:
    """The ConvNeXt U-Net of the published Cold Diffusion code; the defaults are its own: 56,615,708 parameters."""

    image_channels: int = 3
    """Channels of the image."""
    channels: int = 64
    """Base width."""
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    """Width of each level, in units of `channels`; the side halves from one level to the next."""
    time: bool = True
    """Whether the network takes the severity."""
    residual: bool = False
    """Whether the input is added to the output."""
    steps: int = 1000
    """Time is embedded as the 0-based step of a process of so many: t * steps - 1."""

    def __post_init__(self) -> None:
        positive(self, "image_channels", "channels", "steps", "multipliers")
        check_width(self.channels)

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.multipliers) - 1)

    def build(self) -> nn.Module:
        return network("models.convnext_unet:ConvNeXtUNet", self)
