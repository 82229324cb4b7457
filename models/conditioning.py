"""How networks take in the severity and their condition."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import Condition, Conditioning
from models.layers.embedding import sinusoid
from models.settings.dit import DiTConfig
from models.settings.unet import UNetConfig
from models.text import TextEncoder


class ConditionEmbedding(nn.Module):
    """SiLU(time(t) + E_label[label] + E_pooled pooled + E_text mean(text)) (B, width), t (B,) in [0, 1], and the tokens
    (E_tokens tokens, E_text text), text being the bytes of a caption behind a transformer (models/text.py).

    A network that reads text and has no other tokens takes what the transformer makes of a caption (`embedded`) as tokens, too.
    A label of -1, pooled values of 0, masked tokens, and a part that is None add nothing. Raises ValueError for a part that it
    was not built for.
    """

    def __init__(self, width: int, config: UNetConfig | DiTConfig) -> None:
        super().__init__()
        self.width = width
        self.config = config
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Linear(config.classes, width, bias=False) if config.classes else None
        self.pooled = nn.Linear(config.pooled, width, bias=False) if config.pooled else None
        self.tokens = nn.Linear(config.tokens, width) if config.tokens else None
        self.text = TextEncoder(config.text, config.text_depth, config.head) if config.text else None
        self.from_text = nn.Linear(config.text, width, bias=False) if config.text else None

    def forward(self, t: Tensor, condition: Condition = Condition()) -> Conditioning:  # noqa: B008
        dtype = next(self.parameters()).dtype
        embedding = self.time(sinusoid(1000 * t, self.width).to(dtype))
        if condition.label is not None:
            if self.label is None:
                raise ValueError("this network takes no label: build it with classes=, their number.")
            one_hot = condition.label[:, None] == torch.arange(self.label.in_features, device=t.device)
            embedding = embedding + self.label(one_hot.to(dtype))
        if condition.pooled is not None:
            if self.pooled is None:
                raise ValueError("this network takes no pooled vector: build it with pooled=, its channels.")
            embedding = embedding + self.pooled(condition.pooled.to(dtype))
        if self.tokens is None and self.text is None and condition.tokens is None and condition.text is None:
            return Conditioning(F.silu(embedding))
        tokens = [embedding.new_zeros(len(t), 0, self.width)]
        mask = [torch.zeros(len(t), 0, dtype=torch.bool, device=t.device)]
        if self.tokens is not None and condition.tokens is not None and condition.mask is not None:
            tokens.append(self.tokens(condition.tokens.to(dtype)))
            mask.append(condition.mask)
        encoded = self.encoded(condition)
        if encoded is not None and self.from_text is not None:
            written, seen = self.from_text(encoded[0].to(dtype)), encoded[1]
            embedding = embedding + (written * seen[..., None]).sum(1) / seen.sum(1, keepdim=True).clamp(min=1)
            tokens.append(written)
            mask.append(seen)
        return Conditioning(F.silu(embedding), torch.cat(tokens, dim=1), torch.cat(mask, dim=1))

    def encoded(self, condition: Condition) -> tuple[Tensor, Tensor] | None:
        """What the transformer makes of the captions (B, L, D), or the tokens in their place, and their mask; None without."""
        if condition.text is not None:
            if self.text is None:
                raise ValueError("this network takes no text: build it with text=, the width of its text encoder.")
            if self.tokens is None and condition.tokens is not None:
                raise ValueError("text, and tokens in its place, are given: leave out one of them.")
            return self.text(condition.text), condition.text > 0
        if self.tokens is None and condition.tokens is not None and condition.mask is not None:
            if self.text is None:
                raise ValueError("this network takes no tokens: build it with tokens=, their channels.")
            if condition.tokens.shape[2] != self.config.text:
                raise ValueError(f"tokens in place of text have {self.config.text} channels, got {condition.tokens.shape[2]}.")
            return condition.tokens, condition.mask
        return None

    def embedded(self, condition: Condition) -> Condition:
        """The same with tokens in place of its text, where these can be given instead."""
        if condition.text is None or self.tokens is not None:
            return condition
        encoded = self.encoded(condition)
        return condition if encoded is None else condition._replace(text=None, tokens=encoded[0], mask=encoded[1])


def with_picture(x: Tensor, picture: Tensor | None, channels: int) -> Tensor:
    """x (B, C, *space) and, as further channels, the picture (B, channels, *space), or zeros where it is None."""
    if picture is None:
        return torch.cat([x, x.new_zeros(len(x), channels, *x.shape[2:])], dim=1) if channels else x
    if not channels:
        raise ValueError("this network takes no picture: build it with picture=, its channels.")
    expected = (len(x), channels, *x.shape[2:])
    if picture.shape != expected:
        raise ValueError(f"this network takes a picture condition of shape {expected}, got {tuple(picture.shape)}.")
    return torch.cat([x, picture.to(x.dtype)], dim=1)
