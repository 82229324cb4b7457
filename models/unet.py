"""simple diffusion's U-Net and U-ViT (Hoogeboom et al. 2023, arXiv 2301.11093), and the residual U-ViT of its successor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.conditioning import Told
from models.config import UNetConfig
from models.layers.attention import Attention
from models.layers.basic import pad_to_multiple, zero
from models.layers.transformer import Transformer


class UNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1], cond) -> (B, C, H, W), for any H and W; `cond` as in `models.conditioning`.

    Sides that are no multiple of the stride are padded with zeros at the bottom and right, and cropped back.
    """

    def __init__(self, config: UNetConfig = UNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        told = 4 * config.widths[0]
        self.told = Told(told, config.conditions)
        self.stem = nn.Conv2d(config.image_channels, config.widths[0], 3, padding=1)
        self.levels = levels(config, 0, told)
        self.norm = nn.GroupNorm(config.groups, config.widths[0])
        self.out = zero(nn.Conv2d(config.widths[0], config.image_channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        h = self.levels(self.stem(pad_to_multiple(x, self.config.stride)), self.told(t, cond))
        return self.out(F.silu(self.norm(h)))[..., :height, :width]


def levels(config: UNetConfig, level: int, told: int) -> Level | Blocks | Transformer:
    """The level and all below it: (x, told (B, told)) -> the shape of x."""
    if level < len(config.widths) - 1:
        return Level(config, level, told)
    width = config.widths[level]
    if config.transformer:
        return Transformer(width, config.transformer, config.head, told, config.positions, config.dropout[level])
    return Blocks(Block(width, config, level, told) for _ in range(config.depths[level]))


class Blocks(nn.ModuleList):
    """The residual blocks of the deepest level, one after the other."""

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        for block in self:
            x = block(x, told)
        return x


class Level(nn.Module):
    """Blocks on the way down, the levels below at half the side, and blocks on the way up.

    skips="blocks": each block on the way up also takes what its counterpart on the way down gave.
    skips="levels": only y = x + up(below(down(x)) - down(x)), what the levels below add to their input
    (Hoogeboom et al. 2024, arXiv 2410.19324, section 3.3).
    """

    def __init__(self, config: UNetConfig, level: int, told: int) -> None:
        super().__init__()
        self.residual = config.skips == "levels"
        width, following = config.widths[level : level + 2]
        depth, inputs = config.depths[level], width if self.residual else 2 * width
        self.before = nn.ModuleList(Block(width, config, level, told) for _ in range(depth))
        self.down = nn.Conv2d(width, following, 2, stride=2)
        self.below = levels(config, level + 1, told)
        self.up = nn.Conv2d(following, width, 1)
        self.after = nn.ModuleList(Block(inputs, config, level, told) for _ in range(depth))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        kept = []
        for block in self.before:
            x = block(x, told)
            kept.append(x)
        inner = self.down(x)
        outer = self.below(inner, told)
        up = F.interpolate(self.up(outer - inner if self.residual else outer), scale_factor=2, mode="nearest")
        x = x + up if self.residual else up
        for block in self.after:
            x = block(x if self.residual else torch.cat([x, kept.pop()], dim=1), told)
        return x


class Block(nn.Module):
    """Residual block: norm, SiLU, convolution, norm scaled and shifted by what it is told, SiLU, dropout, convolution; then
    attention, at levels that have it."""

    def __init__(self, inputs: int, config: UNetConfig, level: int, told: int) -> None:
        super().__init__()
        width = config.widths[level]
        self.norm_in = nn.GroupNorm(config.groups, inputs)
        self.conv_in = nn.Conv2d(inputs, width, 3, padding=1)
        self.modulation = nn.Linear(told, 2 * width)
        self.norm_out = nn.GroupNorm(config.groups, width)
        self.dropout = nn.Dropout(config.dropout[level])
        self.conv_out = zero(nn.Conv2d(width, width, 3, padding=1))
        self.skip = nn.Conv2d(inputs, width, 1) if inputs != width else nn.Identity()
        self.attention = MapAttention(width, config) if level in config.attention else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv_in(F.silu(self.norm_in(x)))
        scale, shift = self.modulation(told)[..., None, None].chunk(2, dim=1)
        h = self.norm_out(h) * (1 + scale) + shift
        return self.attention(self.skip(x) + self.conv_out(self.dropout(F.silu(h))))


class MapAttention(nn.Module):
    """x + attention over all pixels of a feature map."""

    def __init__(self, width: int, config: UNetConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.groups, width)
        self.attention = Attention(width, config.head)
        zero(self.attention.out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.attention(self.norm(x).flatten(2).mT)
        return x + h.mT.reshape(x.shape)
