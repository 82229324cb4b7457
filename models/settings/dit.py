"""Settings of the diffusion transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.settings.bounds import check_heads, positive
from models.settings.conditions import Conditions
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class DiTConfig(Conditions):
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

    def __post_init__(self) -> None:
        positive(self, "image_channels", "patch", "width", "depth", "head")
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        check_heads(self.head, self.width, self.text)

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return self.patch

    def build(self) -> nn.Module:
        return network("models.dit:DiT", self)
