"""Guided diffusion's U-Net (ADM; Dhariwal & Nichol 2021, arXiv 2105.05233, section 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from models.condition import Condition
from models.layers.basic import pad_to_multiple, zero
from models.layers.embedding import sinusoid
from models.settings.adm_unet import ADMUNetConfig


class ADMUNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1], condition) -> (B, C, H, W), for any H and W.

    It accepts a label where it has classes; -1 adds nothing. Sides that are no multiple of the stride are padded with zeros at
    the bottom and right, and cropped back. Parameters carry the published names, so that published weights load as they are.
    """

    def __init__(self, config: ADMUNetConfig = ADMUNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        self.accepts = ("label",) if config.classes else ()
        width, embedding = config.channels, 4 * config.channels
        self.time_embed = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        if config.classes:
            self.label_emb = nn.Embedding(config.classes, embedding)

        widths = [width * multiplier for multiplier in config.multipliers]
        channels, last = widths[0], len(widths) - 1
        skips = [channels]
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(config.image_channels, channels, 3, padding=1)])])
        for level, outputs in enumerate(widths):
            for _ in range(config.blocks):
                self.input_blocks.append(stage(channels, outputs, config, level))
                channels = outputs
                skips.append(channels)
            if level < last:
                self.input_blocks.append(Stage([Block(channels, channels, config, "down")]))
                skips.append(channels)

        middle = [Block(channels, channels, config), Attention(channels, config), Block(channels, channels, config)]
        self.middle_block = Stage(middle)

        self.output_blocks = nn.ModuleList()
        for level, outputs in reversed(list(enumerate(widths))):
            for i in range(config.blocks + 1):
                one = stage(channels + skips.pop(), outputs, config, level)
                channels = outputs
                if level and i == config.blocks:
                    one.append(Block(channels, channels, config, "up"))
                self.output_blocks.append(one)

        outputs = config.image_channels * (2 if config.learned_variance else 1)
        self.out = nn.Sequential(norm(channels, config), nn.SiLU(), zero(nn.Conv2d(channels, outputs, 3, padding=1)))

    def forward(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        height, width = x.shape[-2:]
        embedding = self.time_embed(sinusoid(t * self.config.steps - 1, self.config.channels).to(x.dtype))
        if condition.label is not None:
            known = self.label_emb(condition.label.clamp(min=0))
            embedding = embedding + known.masked_fill(condition.label[:, None] < 0, 0)
        embedding = F.silu(embedding)
        h, skips = pad_to_multiple(x, self.config.stride), []
        for one in self.input_blocks:
            h = one(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for one in self.output_blocks:
            h = one(torch.cat([h, skips.pop()], dim=1), embedding)
        return self.out(h)[:, : self.config.image_channels, :height, :width]


class Stage(nn.ModuleList):
    """Layers one after the other, blocks of them told the time."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, Block) else layer(x)
        return x


def stage(inputs: int, outputs: int, config: ADMUNetConfig, level: int) -> Stage:
    """A block, and attention at levels that have it."""
    return Stage([Block(inputs, outputs, config), *([Attention(outputs, config)] if level in config.attention else [])])


class Block(nn.Module):
    """Residual block: norm, SiLU, (resampling), convolution, norm scaled and shifted by the embedding, SiLU, dropout,
    convolution."""

    def __init__(self, inputs: int, outputs: int, config: ADMUNetConfig, resampling: str | None = None) -> None:
        super().__init__()
        self.resampling = resampling
        self.in_layers = nn.Sequential(norm(inputs, config), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.Identity(), nn.Linear(4 * config.channels, 2 * outputs))
        last = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.out_layers = nn.Sequential(norm(outputs, config), nn.SiLU(), nn.Dropout(config.dropout), last)
        self.skip_connection = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        first, activate, convolve = self.in_layers
        h = convolve(self.resampled(activate(first(x))))
        scale, shift = self.emb_layers(embedding)[..., None, None].chunk(2, dim=1)
        second, *rest = self.out_layers
        h = second(h) * (1 + scale) + shift
        for layer in rest:
            h = layer(h)
        return self.skip_connection(self.resampled(x)) + h

    def resampled(self, x: Tensor) -> Tensor:
        if self.resampling == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.resampling == "up" else x


class Attention(nn.Module):
    """x + attention over all pixels of a feature map."""

    def __init__(self, width: int, config: ADMUNetConfig) -> None:
        super().__init__()
        self.heads = config.heads(width)
        self.order = "b (heads three c) n" if config.heads_first else "b (three heads c) n"
        self.norm = norm(width, config)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = zero(nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x.flatten(2)))
        q, k, v = rearrange(qkv, f"{self.order} -> three b heads n c", three=3, heads=self.heads)
        h = rearrange(F.scaled_dot_product_attention(q, k, v), "b heads n c -> b (heads c) n")
        return x + self.proj_out(h).reshape(x.shape)


def norm(channels: int, config: ADMUNetConfig) -> nn.GroupNorm:
    return nn.GroupNorm(config.groups, channels)
