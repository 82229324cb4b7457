"""Settings of the networks: plain numbers, checked, that build their network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, Union, runtime_checkable

if TYPE_CHECKING:
    from torch import nn

    from models.convnext_unet import ConvNeXtUNet
    from models.ddpm_unet import DDPMUNet
    from models.dit import DiT
    from models.patch_unet import PatchUNet
    from models.unet import UNet


@runtime_checkable
class NetworkSettings(Protocol):
    """What settings of a network offer: the channels of its images, the squares it works on, and the network itself."""

    @property
    def image_channels(self) -> int: ...

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this."""
        ...

    def build(self) -> nn.Module:
        """net(x (B, C, H, W), t (B,)) -> (B, C, H, W)."""
        ...


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


@dataclass(frozen=True)
class UNetConfig:
    """simple diffusion's U-Net: each level with its own width, depth, dropout, attention.

    With `transformer` blocks at the deepest level it is a U-ViT (Hoogeboom et al. 2023, arXiv 2301.11093), with skips="levels"
    as well a residual U-ViT (Hoogeboom et al. 2024, arXiv 2410.19324).
    """

    image_channels: int = 3
    """Channels of the image."""
    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of each level; the side halves from one level to the next."""
    depths: tuple[int, ...] = (2, 2, 2, 2)
    """Residual blocks of each level on the way down, and again on the way up."""
    dropout: tuple[float, ...] = (0.0, 0.0, 0.1, 0.1)
    """Share of activations dropped in training, a level: high resolutions are better left without."""
    attention: tuple[int, ...] = (3,)
    """Levels whose residual blocks are followed by attention."""
    transformer: int = 0
    """Transformer blocks that stand in for the blocks of the deepest level; 0 for none."""
    head: int = 32
    """Channels of an attention head."""
    positions: Literal["rotary", "learned"] = "rotary"
    """How the transformer knows where its tokens are."""
    skips: Literal["blocks", "levels"] = "blocks"
    """Skips from each block on the way down to its counterpart, or one around all that lies below a level."""
    groups: int = 32
    """Groups of the group norm."""
    conditions: int = 0
    """Classes, or channels of an embedding, that the network is told; 0 for neither."""

    def __post_init__(self) -> None:
        _positive(self, "image_channels", "widths", "depths", "head", "groups")
        _optional(self, "transformer", "conditions")
        if not len(self.widths) == len(self.depths) == len(self.dropout):
            raise ValueError(
                f"widths, depths and dropout have one entry a level, got {self.widths}, {self.depths} and {self.dropout}."
            )
        if not all(0 <= share < 1 for share in self.dropout):
            raise ValueError(f"dropout is a share in [0, 1) for each level, got {self.dropout}.")
        if any(not 0 <= level < len(self.widths) for level in self.attention):
            raise ValueError(f"attention names levels 0 to {len(self.widths) - 1}, got {self.attention}.")
        if any(width % self.groups for width in self.widths):
            raise ValueError(f"every width is a multiple of groups={self.groups}, got {self.widths}. Change either.")
        attending = {*self.attention, *([len(self.widths) - 1] if self.transformer else [])}
        _check_heads(self.head, *(self.widths[level] for level in attending))

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.widths) - 1)

    def build(self) -> UNet:
        from models.unet import UNet

        return UNet(self)


@dataclass(frozen=True)
class DiTConfig:
    """The diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748); the defaults are the size of its DiT-S."""

    image_channels: int = 3
    """Channels of the image."""
    patch: int = 4
    """Squares of patch x patch pixels are the tokens."""
    width: int = 384
    """Channels of a token."""
    depth: int = 12
    """Transformer blocks."""
    head: int = 64
    """Channels of an attention head."""
    positions: Literal["rotary", "learned"] = "rotary"
    """How it knows where its tokens are."""
    dropout: float = 0.0
    """Share of inner activations dropped in training."""
    conditions: int = 0
    """Classes, or channels of an embedding, that the network is told; 0 for neither."""

    def __post_init__(self) -> None:
        _positive(self, "image_channels", "patch", "width", "depth", "head")
        _optional(self, "conditions")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        _check_heads(self.head, self.width)

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return self.patch

    def build(self) -> DiT:
        from models.dit import DiT

        return DiT(self)


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

    def build(self, network: NetworkSettings) -> nn.Module:
        from models.stems import Wavelets

        inner = replace(network, image_channels=network.image_channels * 4**self.levels)  # type: ignore[type-var]
        return Wavelets(inner.build(), self.levels)


@dataclass(frozen=True)
class PatchStem:
    """The network sees squares of pixels through a strided convolution, and its output goes through the transpose of one."""

    patch: int = 2
    """Side of the squares, pixels."""
    channels: int = 0
    """Channels that the network sees; 0: as many as there are numbers in a square."""

    def __post_init__(self) -> None:
        _positive(self, "patch")
        _optional(self, "channels")

    @property
    def stride(self) -> int:
        """Pixels of the image to a pixel of the network, along each side."""
        return self.patch

    def build(self, network: NetworkSettings) -> nn.Module:
        from models.stems import Patches

        channels = self.channels or network.image_channels * self.patch**2
        inner = replace(network, image_channels=channels)  # type: ignore[type-var]
        return Patches(inner.build(), self.patch, network.image_channels, channels)


NETWORKS = (PatchUNetConfig, DDPMUNetConfig, ConvNeXtUNetConfig, UNetConfig, DiTConfig)
STEMS = (WaveletStem, PatchStem)
if TYPE_CHECKING:
    NetworkConfig = PatchUNetConfig | DDPMUNetConfig | ConvNeXtUNetConfig | UNetConfig | DiTConfig
    Stem = WaveletStem | PatchStem
else:
    NetworkConfig = Union[NETWORKS]  # the command line offers each as a sub-command
    Stem = Union[STEMS]


MOST = {
    "image_channels": 1024,
    "patch": 256,
    "channels": 65_536,
    "multipliers": 1024,
    "blocks": 32,
    "kernels": 1023,
    "groups": 65_536,
    "steps": 1_000_000,
    "widths": 65_536,
    "width": 65_536,
    "depths": 64,
    "depth": 256,
    "head": 65_536,
    "transformer": 256,
    "conditions": 1_000_000,
    "stride": 1024,
}
"""Bounds that no sensible network meets: settings may come from a stranger's file."""


def _positive(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(values) <= 16 or min(values) < 1 or max(values) > MOST[name]:
            most = f"at most {MOST[name]} (in 16 levels)"
            raise ValueError(f"{name} of {type(config).__name__} is at least 1 and {most}, got {str(value)[:60]}.")
    stride = getattr(config, "stride", 1)
    if stride > MOST["stride"]:
        raise ValueError(
            f"{type(config).__name__} works on squares of {stride} pixels, at most {MOST['stride']}: choose fewer levels."
        )


def _optional(config: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) <= MOST[name]:
            raise ValueError(f"{name} of {type(config).__name__} is 0 to {MOST[name]}, got {str(getattr(config, name))[:60]}.")


def _check_heads(head: int, *widths: int) -> None:
    if head % 4 or any(width % head for width in widths):
        raise ValueError(f"an attention head has a multiple of 4 channels, and divides the width; got {head} and {widths}.")


def _check_width(channels: int) -> None:
    if channels < 4 or channels % 2:
        raise ValueError(f"channels is even and at least 4 (half sines, half cosines in the time embedding), got {channels}.")
