"""A small transformer over the bytes of captions, trained together with the network that it serves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import LONGEST

NEAR = 7
"""Bytes."""


class TextEncoder(nn.Module):
    """Captions as bytes (B, L), L at most LONGEST, 0 where there is none, to tokens (B, L, width): one for each byte.

    A convolution over NEAR bytes, which knows short words at once, learned positions, and pre-normalised blocks (Xiong et al.
    2020, arXiv 2002.04745) that see the whole caption. Bytes need no vocabulary, and know every language (Xue et al. 2021,
    ByT5, arXiv 2105.13626).
    """

    def __init__(self, width: int, depth: int, head: int) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, width, padding_idx=0)
        self.near = nn.Conv1d(width, width, NEAR, padding=NEAR // 2)
        self.positions = nn.Parameter(0.02 * torch.randn(LONGEST, width))
        layer = nn.TransformerEncoderLayer(
            width, width // head, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, text: Tensor) -> Tensor:
        unseen = text == 0
        first = torch.arange(text.shape[1], device=text.device) == 0
        h = self.bytes(text)
        h = h + F.gelu(self.near(h.mT).mT) + self.positions[: text.shape[1]]
        return self.blocks(h, src_key_padding_mask=unseen & ~first)  # one is seen, also where there is no caption
