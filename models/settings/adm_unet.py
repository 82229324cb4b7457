"""Settings of guided diffusion's U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.settings.bounds import check_width, optional, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ADMUNetConfig:
    """Guided diffusion's U-Net (ADM): residual resampling, attention at low resolutions and in the middle, classes.

    The defaults are the network published for ImageNet at 64 px (Dhariwal & Nichol 2021, arXiv 2105.05233): 295,904,454
    parameters.
    """

    image_channels: int = 3
    """Channels of the image."""
    channels: int = 192
    """Base width."""
    multipliers: tuple[int, ...] = (1, 2, 3, 4)
    """Width of each level, in units of `channels`; the side halves from one level to the next."""
    blocks: int = 3
    """Residual blocks per level on the way down (one more on the way up)."""
    attention: tuple[int, ...] = (1, 2, 3)
    """Levels with attention after every block; level i has 1/2^i of the image's side."""
    head: int = 64
    """Channels of an attention head; 0 for 4 heads whatever the width."""
    heads_first: bool = False
    """Queries, keys and values lie side by side within each head, as in the networks for 128 and 256 px; else heads within
    each of them."""
    classes: int = 1000
    """Classes that it is conditioned on; 0 for none."""
    learned_variance: bool = True
    """Whether it also says, in as many channels again, what the variance of a step is. That is left out."""
    dropout: float = 0.0
    """Share of activations dropped in training."""
    groups: int = 32
    """Groups of the group norm."""
    steps: int = 1000
    """Time is embedded as the 0-based step of a process of so many: t * steps - 1."""

    def __post_init__(self) -> None:
        positive(self, "image_channels", "channels", "multipliers", "blocks", "groups", "steps")
        optional(self, "head", "classes")
        check_width(self.channels)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        if any(not 0 <= level < len(self.multipliers) for level in self.attention):
            raise ValueError(f"attention names levels 0 to {len(self.multipliers) - 1}, got {self.attention}.")
        widths = [self.channels * multiplier for multiplier in self.multipliers]
        if any(width % self.groups for width in widths):
            raise ValueError(f"every width is a multiple of groups={self.groups}, got {widths}. Change either.")
        attending = {*(widths[level] for level in self.attention), widths[-1]}
        if any(width % (self.head or HEADS) for width in attending):
            raise ValueError(f"an attention head divides the width; got {self.head or f'{HEADS} heads'} and {attending}.")

    def heads(self, width: int) -> int:
        """Attention heads at a width."""
        return width // self.head if self.head else HEADS

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.multipliers) - 1)

    def build(self) -> nn.Module:
        return network("models.adm_unet:ADMUNet", self)


HEADS = 4
