"""Settings of the networks: plain numbers, checked, that build their network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from models.convnext_unet import ConvNeXtUNet
    from models.ddpm_unet import DDPMUNet
    from models.patch_unet import PatchUNet


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
        _positive(self, "image_channels", "patch", "channels", "multipliers", "kernels", "blocks", "groups", "steps")
        _check_width(self.channels)
        if self.norm == "group" and any(self.channels * m % self.groups for m in self.multipliers):
            raise ValueError(
                f"group norm needs every width (channels {self.channels} x multipliers {self.multipliers}) to be a "
                f"multiple of groups={self.groups}. Change channels or groups, or use norm='pixel'."
            )

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return self.patch * 2 ** (len(self.multipliers) - 1)

    def build(self) -> PatchUNet:
        from models.patch_unet import PatchUNet

        return PatchUNet(self)


@dataclass(frozen=True)
class DDPMUNetConfig:
    """DDPM's U-Net: residual blocks, attention at chosen levels and in the middle.

    The defaults are what Cold Diffusion was published with (Bansal et al. 2022, arXiv 2208.09392): 35,746,307 parameters
    with attention at level 1 (16 px of a 32 px image); at 128 px attention is at level 3.
    """

    image_channels: int = 3
    """Channels of the image."""
    channels: int = 128
    """Base width."""
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    """Width of each level, in units of `channels`; the side halves from one level to the next."""
    blocks: int = 2
    """Residual blocks per level on the way down (one more on the way up)."""
    attention: tuple[int, ...] = (1,)
    """Levels with attention after every block; level i has 1/2^i of the image's side."""
    dropout: float = 0.1
    """Share of activations dropped in training."""
    groups: int = 32
    """Groups of the group norm."""
    steps: int = 1000
    """Time is embedded as the 0-based step of a process of so many: t * steps - 1."""

    def __post_init__(self) -> None:
        _positive(self, "image_channels", "channels", "blocks", "groups", "steps", "multipliers")
        _check_width(self.channels)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        if any(not 0 <= level < len(self.multipliers) for level in self.attention):
            raise ValueError(f"attention names levels 0 to {len(self.multipliers) - 1}, got {self.attention}.")
        if any(self.channels * m % self.groups for m in self.multipliers):
            raise ValueError(
                f"group norm needs every width (channels {self.channels} x multipliers {self.multipliers}) to be a "
                f"multiple of groups={self.groups}. Change channels or groups."
            )

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.multipliers) - 1)

    def build(self) -> DDPMUNet:
        from models.ddpm_unet import DDPMUNet

        return DDPMUNet(self)


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
    """Whether the network is told the severity."""
    residual: bool = False
    """Whether the input is added to the output."""
    steps: int = 1000
    """Time is embedded as the 0-based step of a process of so many: t * steps - 1."""

    def __post_init__(self) -> None:
        _positive(self, "image_channels", "channels", "steps", "multipliers")
        _check_width(self.channels)

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.multipliers) - 1)

    def build(self) -> ConvNeXtUNet:
        from models.convnext_unet import ConvNeXtUNet

        return ConvNeXtUNet(self)


MOST = {
    "image_channels": 1024,
    "patch": 256,
    "channels": 65_536,
    "multipliers": 1024,
    "blocks": 256,
    "kernels": 1023,
    "groups": 65_536,
    "steps": 1_000_000,
}
"""Bounds that no sensible network meets: settings may come from a stranger's file."""


def _positive(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(values) <= 16 or min(values) < 1 or max(values) > MOST[name]:
            most = f"at most {MOST[name]} (in 16 levels)"
            raise ValueError(f"{name} of {type(config).__name__} is at least 1 and {most}, got {str(value)[:60]}.")


def _check_width(channels: int) -> None:
    if channels < 4 or channels % 2:
        raise ValueError(f"channels is even and at least 4 (half sines, half cosines in the time embedding), got {channels}.")
