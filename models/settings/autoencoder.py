"""Settings of the autoencoder whose latents a latent diffusion works in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.settings.bounds import optional, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class AutoencoderConfig:
    """A convolutional autoencoder (Rombach et al. 2022, arXiv 2112.10752, section 3.1), without its attention."""

    image_channels: int = 3
    """Channels of the image."""
    latent_channels: int = 4
    """Channels of the latents."""
    widths: tuple[int, ...] = (32, 64, 64)
    """Channels of each level; the side halves from one level to the next, so three levels make a quarter of it."""
    blocks: int = 1
    """Residual blocks of each level of the encoder, and again of the decoder."""
    groups: int = 8
    """Groups of the group norm."""
    adversary: int = 0
    """Base width of a patch discriminator that is trained against it; 0 for none."""

    def __post_init__(self) -> None:
        positive(self, "image_channels", "latent_channels", "widths", "blocks", "groups")
        optional(self, "adversary")
        if len(self.widths) < 2:
            raise ValueError(f"an autoencoder makes images smaller: at least 2 levels, got widths {self.widths}.")
        if any(width % self.groups for width in (*self.widths, self.adversary)):
            widths = f"{self.widths} and {self.adversary}"
            raise ValueError(f"every width is a multiple of groups={self.groups}, got {widths}. Change either.")

    @property
    def stride(self) -> int:
        """Pixels of an image to a cell of the latents, along each side; other sides are padded and cropped back."""
        return 2 ** (len(self.widths) - 1)

    def build(self) -> nn.Module:
        return network("models.autoencoder:Autoencoder", self)
