"""A stack of transformer blocks over a feature map, conditioned on time and more by adaLN-zero."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from models.condition import Conditioning
from models.layers.attention import Attention, CrossAttention, LearnedPositions, Positions, axial_rotary
from models.layers.basic import zero


class Transformer(nn.Module):
    """(x (B, width, H, W), conditioning) -> (B, width, H, W), for any H and W.

    embedding: channels of the conditioning, of its vector and of its tokens. tokens: whether its blocks attend to these.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        head: int,
        embedding: int,
        positions: Positions = "rotary",
        dropout: float = 0.0,
        tokens: bool = False,
    ) -> None:
        super().__init__()
        self.head = head
        self.rotary = positions == "rotary"
        self.positions = nn.Identity() if self.rotary else LearnedPositions(width)
        self.blocks = nn.ModuleList(TransformerBlock(width, head, embedding, dropout, tokens) for _ in range(depth))

    def forward(self, x: Tensor, given: Conditioning) -> Tensor:
        height, width = x.shape[-2:]
        rotary = axial_rotary(height, width, self.head, x.device) if self.rotary else None
        h = rearrange(self.positions(x), "b c h w -> b (h w) c")
        for block in self.blocks:
            h = block(h, given, rotary)
        return rearrange(h, "b (h w) c -> b c h w", h=height)


class TransformerBlock(nn.Module):
    """Attention, then two linear layers, each on a normalised input that is scaled and shifted by the embedding, and added
    with a gate that starts at 0: adaLN-zero (Peebles & Xie 2022, arXiv 2212.09748, section 3.2). Between them, where there are
    tokens, attention to these."""

    def __init__(self, width: int, head: int, embedding: int, dropout: float = 0.0, tokens: bool = False) -> None:
        super().__init__()
        self.attention = Attention(width, head)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width))
        self.modulation = zero(nn.Linear(embedding, 6 * width))
        self.cross = CrossAttention(width, embedding, head) if tokens else None

    def forward(self, x: Tensor, given: Conditioning, rotary: Tensor | None) -> Tensor:
        shift, scale, gate, inner_shift, inner_scale, inner_gate = self.modulation(given.vector)[:, None].chunk(6, dim=-1)
        x = torch.addcmul(x, gate, self.attention(modulated(x, shift, scale), rotary))
        if self.cross is not None and given.tokens is not None and given.mask is not None:
            x = x + self.cross(F.layer_norm(x, x.shape[-1:], eps=1e-6), given.tokens, given.mask)
        return torch.addcmul(x, inner_gate, self.inner(modulated(x, inner_shift, inner_scale)))


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """The layer norm of tokens (B, N, width), scaled and shifted."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)
