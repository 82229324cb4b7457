"""Settings of SinDiffusion's patch U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.settings.bounds import check_width, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class PatchUNetConfig:
    """SinDiffusion's patch U-Net: few levels, no middle block, no attention, so that it sees patches only.

    The defaults are the published network (Wang et al. 2022, arXiv 2211.12445): 6,992,899 parameters, receptive field
    101 x 101.
    """

    image_channels: int = 3
    """Channels of the image."""
    patch: int = 1
    """Squares of patch x patch pixels are folded into channels for the network (published: 1). Cheaper at high levels."""
    channels: int = 64
    """Base width."""
    multipliers: tuple[int, ...] = (1, 2, 4)
    """Width of each level, in units of `channels`; the side halves from one level to the next."""
    blocks: int = 1
    """Residual blocks per level on the way down (one more on the way up)."""
    kernels: tuple[int, ...] = (3, 3, 3)
    """Side of the residual blocks' convolutions at each level: with depth, the knob of the receptive field."""
    norm: Literal["group", "pixel"] = "group"
    """Group norm, whose statistics see the whole image, or a norm over the channels of one pixel (strictly local)."""
    groups: int = 32
    """Groups of the group norm."""
    scale_shift: bool = True
    """Time scales and shifts the second norm of a block, instead of being added before it."""
    residual_resampling: bool = False
    """Residual blocks around average pooling and nearest upsampling, instead of strided and upsampling convolutions."""
    steps: int = 1000
    """Time is embedded as the 0-based step of a process of so many: t * steps - 1."""

    def __post_init__(self) -> None:
        if len(self.kernels) != len(self.multipliers):
            raise ValueError(
                f"PatchUNet has {len(self.multipliers)} levels (multipliers) but {len(self.kernels)} kernels: give one a level."
            )
        if any(k < 1 or k % 2 == 0 for k in self.kernels):
            raise ValueError(f"kernel sizes are odd and positive, got {self.kernels}.")
        positive(self, "image_channels", "patch", "channels", "multipliers", "kernels", "blocks", "groups", "steps")
        check_width(self.channels)
        if self.norm == "group" and any(self.channels * m % self.groups for m in self.multipliers):
            raise ValueError(
                f"group norm needs every width (channels {self.channels} x multipliers {self.multipliers}) to be a "
                f"multiple of groups={self.groups}. Change channels or groups, or use norm='pixel'."
            )

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return self.patch * 2 ** (len(self.multipliers) - 1)

    def build(self) -> nn.Module:
        return network("models.patch_unet:PatchUNet", self)
