"""The ConvNeXt U-Net with linear attention of the published Cold Diffusion code (arXiv 2208.09392)."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.basic import PixelNorm, pad_to_multiple
from models.layers.embedding import sinusoid_inclusive
from models.settings.convnext_unet import ConvNeXtUNetConfig


class ConvNeXtUNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1]) -> (B, C, H, W), for any H and W.

    Sides that are no multiple of the stride are padded with zeros at the bottom and right, and cropped back. As published,
    the way up has one level fewer than the way down, the skip at full resolution is not used, and the last block does not
    know the time.
    """

    def __init__(self, config: ConvNeXtUNetConfig = ConvNeXtUNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        width = config.channels
        self.time = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) if config.time else None
        embedding = width if config.time else 0
        widths = [config.image_channels, *(width * multiplier for multiplier in config.multipliers)]
        deepest = len(config.multipliers) - 1
        self.down = nn.ModuleList(
            Level(a, b, embedding, nn.Conv2d(b, b, 4, 2, 1) if i < deepest else None, first_norm=i > 0)
            for i, (a, b) in enumerate(itertools.pairwise(widths))
        )
        self.middle = Middle(widths[-1], embedding)
        self.up = nn.ModuleList(
            Level(2 * b, a, embedding, nn.ConvTranspose2d(a, a, 4, 2, 1))
            for a, b in reversed(list(itertools.pairwise(widths[1:])))
        )
        self.last = Block(width, width)
        self.out = nn.Conv2d(width, config.image_channels, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        time = None
        if self.time is not None:
            time = F.gelu(self.time(sinusoid_inclusive(t * self.config.steps - 1, self.config.channels).to(x.dtype)))
        h = pad_to_multiple(x, self.config.stride)
        skips = []
        for level in self.down:
            kept, h = level(h, time)
            skips.append(kept)
        h = self.middle(h, time)
        for level in self.up:
            _, h = level(torch.cat([h, skips.pop()], dim=1), time)
        y = self.out(self.last(h))[..., :height, :width]
        return y + x if self.config.residual else y


class Level(nn.Module):
    """Two blocks and attention: x -> its output, and that output resampled for the next level."""

    def __init__(self, inputs: int, outputs: int, embedding: int, resample: nn.Module | None, first_norm: bool = True) -> None:
        super().__init__()
        self.first = Block(inputs, outputs, embedding, first_norm)
        self.second = Block(outputs, outputs, embedding)
        self.attention = LinearAttention(outputs)
        self.resample = resample

    def forward(self, x: Tensor, time: Tensor | None) -> tuple[Tensor, Tensor]:
        x = self.attention(self.second(self.first(x, time), time))
        return x, x if self.resample is None else self.resample(x)


class Middle(nn.Module):
    """Block, attention, block."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.first = Block(channels, channels, embedding)
        self.attention = LinearAttention(channels)
        self.second = Block(channels, channels, embedding)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        return self.second(self.attention(self.first(x, time)), time)


class Block(nn.Module):
    """ConvNeXt block: depthwise 7 x 7, time added, norm over channels, 3 x 3 to twice the width, GELU, 3 x 3, residual."""

    def __init__(self, inputs: int, outputs: int, embedding: int = 0, norm: bool = True) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 7, padding=3, groups=inputs)
        self.time = nn.Linear(embedding, inputs) if embedding else None
        self.norm = PixelNorm(inputs) if norm else nn.Identity()
        self.widen = nn.Conv2d(inputs, 2 * outputs, 3, padding=1)
        self.narrow = nn.Conv2d(2 * outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        h = self.depthwise(x)
        if self.time is not None:
            h = h + self.time(time)[..., None, None]
        return self.narrow(F.gelu(self.widen(self.norm(h)))) + self.skip(x)


class LinearAttention(nn.Module):
    """x + attention whose cost is linear in the pixels: softmax(k) over pixels, then v gathered once for all queries.

    Shen et al. 2018, arXiv 1812.01243, without the softmax over q.
    """

    def __init__(self, channels: int, heads: int = 4, width: int = 32) -> None:
        super().__init__()
        self.heads = heads
        self.norm = PixelNorm(channels)
        self.qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.out = nn.Conv2d(heads * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, -1, height * width)
        q, k, v = qkv.unbind(1)  # (B, heads, width, H W)
        gathered = k.softmax(-1) @ v.mT  # (B, heads, width, width)
        h = gathered.mT @ (q * q.shape[2] ** -0.5)
        return x + self.out(h.reshape(batch, -1, height, width))
