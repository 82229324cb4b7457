"""Settings of simple diffusion's U-Net and U-ViT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.settings.bounds import check_heads, optional, positive
from models.settings.conditions import Conditions
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class UNetConfig(Conditions):
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

    def __post_init__(self) -> None:
        positive(self, "image_channels", "widths", "depths", "head", "groups")
        super().__post_init__()
        optional(self, "transformer")
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
        if self.tokens and not attending:
            raise ValueError("tokens are attended to: give attention a level, or transformer blocks.")
        check_heads(self.head, self.text, *(self.widths[level] for level in attending))

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return 2 ** (len(self.widths) - 1)

    def build(self) -> nn.Module:
        return network("models.unet:UNet", self)
