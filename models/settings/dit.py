"""Settings of the diffusion transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.settings.bounds import check_heads, optional, positive
from models.settings.network import network

if TYPE_CHECKING:
    from torch import nn


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
    classes: int = 0
    """Classes that it can be conditioned on; 0 for none."""
    pooled: int = 0
    """Channels of a vector that it can be conditioned on, such as a sentence's embedding; 0 for none."""
    picture: int = 0
    """Channels of a picture that it can be conditioned on, of the image's size; 0 for none."""
    tokens: int = 0
    """Channels of tokens that it can be conditioned on, such as a text encoder's; 0 for none."""
    text: int = 0
    """Channels of a transformer of its own over the bytes of a caption; 0 for none."""
    text_depth: int = 2
    """Blocks of that transformer."""

    def __post_init__(self) -> None:
        positive(self, "image_channels", "patch", "width", "depth", "head", "text_depth")
        optional(self, "classes", "pooled", "picture", "tokens", "text")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        check_heads(self.head, self.width, self.text)

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this; others are padded and cropped back."""
        return self.patch

    def build(self) -> nn.Module:
        return network("models.dit:DiT", self)
