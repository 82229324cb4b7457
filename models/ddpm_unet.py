"""The U-Net of DDPM (Ho et al. 2020, arXiv 2006.11239, appendix B), as Cold Diffusion uses it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.basic import pad_to_multiple, zero
from models.layers.embedding import sinusoid_inclusive
from models.settings.ddpm_unet import DDPMUNetConfig


class DDPMUNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1]) -> (B, C, H, W), for any H and W.

    Sides that are no multiple of the stride are padded with zeros at the bottom and right, and cropped back. Parameters
    carry the published names, so that published weights load as they are.
    """

    def __init__(self, config: DDPMUNetConfig = DDPMUNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        width, embedding = config.channels, 4 * config.channels
        self.temb = nn.ModuleDict({"dense": nn.ModuleList([nn.Linear(width, embedding), nn.Linear(embedding, embedding)])})
        self.conv_in = nn.Conv2d(config.image_channels, width, 3, padding=1)

        widths = [width * multiplier for multiplier in config.multipliers]
        last = len(widths) - 1
        skips, channels = [width], width
        self.down = nn.ModuleList()
        for level, outputs in enumerate(widths):
            inputs = [channels] + (config.blocks - 1) * [outputs]
            self.down.append(Down(inputs, outputs, config, level in config.attention, level < last))
            channels = outputs
            skips += (config.blocks + (level < last)) * [channels]

        self.mid = Middle(channels, config)

        up: list[Up] = []
        for level, outputs in reversed(list(enumerate(widths))):
            below = [channels] + config.blocks * [outputs]
            inputs = [width + skips.pop() for width in below]
            up.insert(0, Up(inputs, outputs, config, level in config.attention, level > 0))
            channels = outputs
        self.up = nn.ModuleList(up)

        self.norm_out = norm(channels, config)
        self.conv_out = zero(nn.Conv2d(channels, config.image_channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        time = sinusoid_inclusive(t * self.config.steps - 1, self.config.channels).to(x.dtype)
        for dense in self.temb["dense"]:  # type: ignore[attr-defined]
            time = F.silu(dense(time))
        skips = [self.conv_in(pad_to_multiple(x, self.config.stride))]
        for level in self.down:
            skips += level(skips[-1], time)
        h = self.mid(skips[-1], time)
        for level in reversed(self.up):
            h = level(h, time, skips)
        return self.conv_out(F.silu(self.norm_out(h)))[..., :height, :width]


class Level(nn.Module):
    """The blocks of one resolution, each followed by attention or not."""

    def __init__(self, inputs: list[int], outputs: int, config: DDPMUNetConfig, attend: bool) -> None:
        super().__init__()
        self.block = nn.ModuleList(Block(channels, outputs, config) for channels in inputs)
        self.attn = nn.ModuleList(Attention(outputs, config) for _ in inputs if attend)

    def at(self, i: int, x: Tensor, time: Tensor) -> Tensor:
        x = self.block[i](x, time)
        return self.attn[i](x) if len(self.attn) else x


class Down(Level):
    """x -> what is kept for the way up: each block's output, then the input of the next level."""

    def __init__(self, inputs: list[int], outputs: int, config: DDPMUNetConfig, attend: bool, resample: bool) -> None:
        super().__init__(inputs, outputs, config, attend)
        if resample:
            self.downsample = Downsample(outputs)

    def forward(self, x: Tensor, time: Tensor) -> list[Tensor]:
        kept = []
        for i in range(len(self.block)):
            x = self.at(i, x, time)
            kept.append(x)
        return [*kept, self.downsample(x)] if hasattr(self, "downsample") else kept


class Up(Level):
    """Takes what was kept from `skips`, last first."""

    def __init__(self, inputs: list[int], outputs: int, config: DDPMUNetConfig, attend: bool, resample: bool) -> None:
        super().__init__(inputs, outputs, config, attend)
        if resample:
            self.upsample = Upsample(outputs)

    def forward(self, x: Tensor, time: Tensor, skips: list[Tensor]) -> Tensor:
        for i in range(len(self.block)):
            x = self.at(i, torch.cat([x, skips.pop()], dim=1), time)
        return self.upsample(x) if hasattr(self, "upsample") else x


class Middle(nn.Module):
    """Block, attention, block."""

    def __init__(self, channels: int, config: DDPMUNetConfig) -> None:
        super().__init__()
        self.block_1 = Block(channels, channels, config)
        self.attn_1 = Attention(channels, config)
        self.block_2 = Block(channels, channels, config)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x, time)), time)


class Block(nn.Module):
    """Residual block: norm, SiLU, convolution, time added, norm, SiLU, dropout, convolution."""

    def __init__(self, inputs: int, outputs: int, config: DDPMUNetConfig) -> None:
        super().__init__()
        self.norm1 = norm(inputs, config)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.temb_proj = nn.Linear(4 * config.channels, outputs)
        self.norm2 = norm(outputs, config)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x))) + self.temb_proj(time)[..., None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Attention(nn.Module):
    """x + attention over all pixels, one head as wide as the channels."""

    def __init__(self, channels: int, config: DDPMUNetConfig) -> None:
        super().__init__()
        self.norm = norm(channels, config)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.proj_out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).mT[:, None] for layer in (self.q, self.k, self.v))  # (B, 1, H W, C)
        h = F.scaled_dot_product_attention(q, k, v)[:, 0].mT.reshape(x.shape)
        return x + self.proj_out(h)


class Downsample(nn.Module):
    """Strided 3 x 3 convolution, padded by a zero at the bottom and right."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Nearest x 2, then a 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def norm(channels: int, config: DDPMUNetConfig) -> nn.GroupNorm:
    return nn.GroupNorm(config.groups, channels, eps=1e-6)
