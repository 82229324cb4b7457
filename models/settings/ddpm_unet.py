"""Settings of DDPM's U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.settings.bounds import check_width, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


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
        positive(self, "image_channels", "channels", "blocks", "groups", "steps", "multipliers")
        check_width(self.channels)
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

    def build(self) -> nn.Module:
        return network("models.ddpm_unet:DDPMUNet", self)
