"""Multi-head attention over the positions of a feature map, and how it knows where they are."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from models.layers.basic import zero

Positions = Literal["rotary", "learned"]


class Attention(nn.Module):
    """Self-attention of tokens (B, N, width), with normalised queries and keys (Dehghani et al. 2023, arXiv 2302.05442).

    `rotary` (N, head/2, 2), if given, are the cosines and sines of `apply_rotary`, for queries and keys.
    """

    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.scale = nn.Parameter(torch.ones(2, 1, 1, head))  # of queries and keys
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, rotary: Tensor | None = None) -> Tensor:
        qkv = rearrange(self.qkv(x), "b n (three heads head) -> b three heads n head", three=3, head=self.head)
        both = F.layer_norm(qkv[:, :2], (self.head,), eps=1e-6) * self.scale.to(qkv.dtype)
        if rotary is not None:
            both = apply_rotary(both, rotary)
        h = F.scaled_dot_product_attention(both[:, 0], both[:, 1], qkv[:, 2].to(both.dtype))
        return self.out(rearrange(h, "b heads n head -> b n (heads head)"))


class CrossAttention(nn.Module):
    """x (B, N, width) attends to tokens (B, L, context): (B, N, width), 0 at the start of a training.

    mask: (B, L), False where there is no token. A token of its own is always there, so that "nothing" has an answer too.
    """

    def __init__(self, width: int, context: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(context, 2 * width, bias=False)
        self.scale = nn.Parameter(torch.ones(2, 1, 1, head))  # of queries and keys
        self.nothing = nn.Parameter(torch.randn(1, 1, context))
        self.out = zero(nn.Linear(width, width))

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = torch.cat([self.nothing.to(tokens.dtype).expand(len(tokens), -1, -1), tokens], dim=1)
        mask = F.pad(mask, (1, 0), value=True)[:, None, None]
        query = rearrange(self.query(x), "b n (heads head) -> b heads n head", head=self.head)
        key, value = rearrange(self.key_value(tokens), "b l (two heads head) -> two b heads l head", two=2, head=self.head)
        scale = self.scale.to(query.dtype)
        query, key = (F.layer_norm(z, (self.head,), eps=1e-6) * s for z, s in zip((query, key), scale, strict=True))
        h = F.scaled_dot_product_attention(query, key, value.to(query.dtype), mask)
        return self.out(rearrange(h, "b heads n head -> b n (heads head)"))


def apply_rotary(x: Tensor, rotary: Tensor) -> Tensor:
    """x (..., N, head), channels i and i + head/2 rotated as a plane by angle i (RoPE, Su et al. 2021, arXiv 2104.09864)."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = rotary.to(x.dtype).unbind(-1)
    return torch.cat([torch.addcmul(a * cos, b, sin, value=-1), torch.addcmul(a * sin, b, cos)], dim=-1)


def axial_rotary(height: int, width: int, head: int, device: torch.device, longest: float = 100.0) -> Tensor:
    """Cosines and sines (H W, head/2, 2): half of the planes rotate with the row, half with the column.

    So attention depends on differences of position, at any size and aspect ratio. Angles are position times frequencies from 1
    to 1/`longest`, in radians.
    """
    frequency = longest ** -torch.linspace(0, 1, head // 4, device=device)
    row = torch.arange(height, device=device)[:, None, None] * frequency
    column = torch.arange(width, device=device)[None, :, None] * frequency
    both = (row.expand(height, width, -1), column.expand(height, width, -1))
    angle = torch.cat(both, dim=-1).flatten(0, 1)
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


class LearnedPositions(nn.Module):
    """A learned vector for each place of a side x side grid, interpolated to the size of the feature map, and added to it."""

    def __init__(self, width: int, side: int = 16) -> None:
        super().__init__()
        self.grid = nn.Parameter(0.02 * torch.randn(1, width, side, side))

    def forward(self, x: Tensor) -> Tensor:
        return x + F.interpolate(self.grid, x.shape[-2:], mode="bilinear", align_corners=False).to(x.dtype)
