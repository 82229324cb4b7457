"""A small transformer over the bytes of captions, trained together with the network that it serves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import LONGEST
from models.layers.basic import zero

GRAMS = (1, 3, 5)
"""Lengths, in bytes, of the pieces of words that are known as a whole."""
ROWS = 4096
"""Embeddings of pieces of one length; a piece is sent to one of them by a hash."""


class TextEncoder(nn.Module):
    """Captions as bytes (B, L), L at most LONGEST, 0 after their end, to tokens (B, L, width): one for each byte.

    A token begins as the sum of the embeddings of the 1, 3 and 5 bytes that end there (`pieces`), so that short words are known
    at once and no vocabulary is needed (Pagnoni et al. 2024, Byte Latent Transformer, arXiv 2412.09871), and of its position.
    Pre-normalised blocks (Xiong et al. 2020, arXiv 2002.04745), which add nothing at the start of a training, tell it what was
    said before: each byte sees those before it, as in CLIP's encoder (Radford et al. 2021, arXiv 2103.00020), which
    makes the second "a red" another one than the first.
    """

    def __init__(self, width: int, depth: int, head: int) -> None:
        super().__init__()
        self.pieces = nn.Embedding(len(GRAMS) * ROWS, width)
        nn.init.normal_(self.pieces.weight, std=0.5)
        self.positions = nn.Parameter(0.02 * torch.randn(LONGEST, width))
        layer = nn.TransformerEncoderLayer(
            width, width // head, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        for block in self.blocks.layers:
            assert isinstance(block, nn.TransformerEncoderLayer)
            zero(block.self_attn.out_proj)
            zero(block.linear2)

    def forward(self, text: Tensor) -> Tensor:
        h = self.pieces(pieces(text)).sum(-2) + self.positions[: text.shape[1]]
        before = nn.Transformer.generate_square_subsequent_mask(text.shape[1], text.device, h.dtype)
        return self.blocks(h, before, is_causal=True)


def pieces(text: Tensor) -> Tensor:
    """Rows (B, L, len(GRAMS)) of `TextEncoder.pieces` for bytes (B, L): those of the n bytes that end at each place.

    The n bytes, zeros before the first, are the digits of a number c = sum_j b_j 257^j; its row is the high bits of
    2654435761 c mod 2^32 (Knuth's multiplicative hash), so that pieces that differ in one byte are apart.
    """
    rows = []
    for place, length in enumerate(GRAMS):
        code = torch.zeros_like(text)
        for back in reversed(range(length)):
            code = 257 * code + F.pad(text, (back, 0))[:, : text.shape[1]]
        rows.append(place * ROWS + (code * 2654435761 % 2**32) * ROWS // 2**32)
    return torch.stack(rows, dim=-1)
