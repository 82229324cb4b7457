"""simple diffusion's U-Net and U-ViT (Hoogeboom et al. 2023, arXiv 2301.11093), and the residual U-ViT of its successor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import Condition, Conditioning
from models.conditioning import ConditionEmbedding, with_picture
from models.layers.attention import Attention, CrossAttention
from models.layers.basic import pad_to_multiple, zero
from models.layers.transformer import Transformer
from models.settings.unet import UNetConfig


class UNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1], condition) -> (B, C, H, W), for any H and W.

    It accepts a label, a pooled vector, tokens, text and a picture, if its settings give it a size (models/condition.py).
    Tokens and text are attended to where there is attention: at the levels of `attention`, and in the transformer.

    Sides that are no multiple of the stride are padded with zeros at the bottom and right, and cropped back.
    """

    def __init__(self, config: UNetConfig = UNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        self.accepts = config.accepts
        embedding = 4 * config.widths[0]
        self.embedding = ConditionEmbedding(embedding, config)
        self.stem = nn.Conv2d(config.image_channels + config.picture, config.widths[0], 3, padding=1)
        self.levels = levels(config, 0, embedding)
        self.norm = nn.GroupNorm(config.groups, config.widths[0])
        self.out = zero(nn.Conv2d(config.widths[0], config.image_channels, 3, padding=1))

    def embedded(self, condition: Condition) -> Condition:
        """The condition with what the text encoder makes of its text, as tokens in place of it, where there is such a one."""
        return self.embedding.embedded(condition)

    def forward(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        height, width = x.shape[-2:]
        x = with_picture(x, condition.image, self.config.picture)
        h = self.levels(self.stem(pad_to_multiple(x, self.config.stride)), self.embedding(t, condition))
        return self.out(F.silu(self.norm(h)))[..., :height, :width]


def levels(config: UNetConfig, level: int, embedding: int) -> Level | Blocks | Transformer:
    """The level and all below it: (x, conditioning) -> the shape of x."""
    if level < len(config.widths) - 1:
        return Level(config, level, embedding)
    width = config.widths[level]
    if config.transformer:
        parts = (config.head, embedding, config.positions, config.dropout[level], config.attends)
        return Transformer(width, config.transformer, *parts)
    return Blocks(Block(width, config, level, embedding) for _ in range(config.depths[level]))


class Blocks(nn.ModuleList):
    """The residual blocks of the deepest level, one after the other."""

    def forward(self, x: Tensor, given: Conditioning) -> Tensor:
        for block in self:
            x = block(x, given)
        return x


class Level(nn.Module):
    """Blocks on the way down, the levels below at half the side, and blocks on the way up.

    skips="blocks": each block on the way up also takes what its counterpart on the way down gave.
    skips="levels": only y = x + up(below(down(x)) - down(x)), what the levels below add to their input
    (Hoogeboom et al. 2024, arXiv 2410.19324, section 3.3).
    """

    def __init__(self, config: UNetConfig, level: int, embedding: int) -> None:
        super().__init__()
        self.residual = config.skips == "levels"
        width, following = config.widths[level : level + 2]
        depth, inputs = config.depths[level], width if self.residual else 2 * width
        self.before = nn.ModuleList(Block(width, config, level, embedding) for _ in range(depth))
        self.down = nn.Conv2d(width, following, 2, stride=2)
        self.below = levels(config, level + 1, embedding)
        self.up = nn.Conv2d(following, width, 1)
        self.after = nn.ModuleList(Block(inputs, config, level, embedding) for _ in range(depth))

    def forward(self, x: Tensor, given: Conditioning) -> Tensor:
        kept = []
        for block in self.before:
            x = block(x, given)
            kept.append(x)
        inner = self.down(x)
        outer = self.below(inner, given)
        up = F.interpolate(self.up(outer - inner if self.residual else outer), scale_factor=2, mode="nearest")
        x = x + up if self.residual else up
        for block in self.after:
            x = block(x if self.residual else torch.cat([x, kept.pop()], dim=1), given)
        return x


class Block(nn.Module):
    """Residual block: norm, SiLU, convolution, norm scaled and shifted by the embedding, SiLU, dropout, convolution; then
    attention, at levels that have it."""

    def __init__(self, inputs: int, config: UNetConfig, level: int, embedding: int) -> None:
        super().__init__()
        width = config.widths[level]
        self.norm_in = nn.GroupNorm(config.groups, inputs)
        self.conv_in = nn.Conv2d(inputs, width, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.norm_out = nn.GroupNorm(config.groups, width)
        self.dropout = nn.Dropout(config.dropout[level])
        self.conv_out = zero(nn.Conv2d(width, width, 3, padding=1))
        self.skip = nn.Conv2d(inputs, width, 1) if inputs != width else nn.Identity()
        self.attention = MapAttention(width, config, embedding) if level in config.attention else None

    def forward(self, x: Tensor, given: Conditioning) -> Tensor:
        h = self.conv_in(F.silu(self.norm_in(x)))
        scale, shift = self.modulation(given.vector)[..., None, None].chunk(2, dim=1)
        h = self.norm_out(h) * (1 + scale) + shift
        x = self.skip(x) + self.conv_out(self.dropout(F.silu(h)))
        return x if self.attention is None else self.attention(x, given)


class MapAttention(nn.Module):
    """x + attention over all pixels of a feature map, and then to the tokens, where there are any."""

    def __init__(self, width: int, config: UNetConfig, embedding: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.groups, width)
        self.attention = Attention(width, config.head)
        zero(self.attention.out)
        self.norm_cross = nn.GroupNorm(config.groups, width) if config.attends else None
        self.cross = CrossAttention(width, embedding, config.head) if config.attends else None

    def forward(self, x: Tensor, given: Conditioning) -> Tensor:
        h = self.attention(self.norm(x).flatten(2).mT)
        x = x + h.mT.reshape(x.shape)
        if self.cross is None or self.norm_cross is None or given.tokens is None or given.mask is None:
            return x
        h = self.cross(self.norm_cross(x).flatten(2).mT, given.tokens, given.mask)
        return x + h.mT.reshape(x.shape)
