"""SinDiffusion's patch U-Net (Wang et al. 2022, arXiv 2211.12445, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.basic import PixelNorm, pad_to_multiple, zero
from models.layers.embedding import sinusoid
from models.receptive_field import receptive_field
from models.settings.patch_unet import PatchUNetConfig


class PatchUNet(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1]) -> (B, C, H, W), for any H and W.

    Sides that are no multiple of the stride are padded with zeros at the bottom and right, and cropped back.
    The first decoder block takes no skip: it starts from the deepest activation.
    """

    def __init__(self, config: PatchUNetConfig = PatchUNetConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        width = config.channels
        embedding = 4 * width
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        channels = width * config.multipliers[0]
        self.stem = nn.Conv2d(config.image_channels * config.patch**2, channels, 3, padding=1)

        def block(inputs: int, outputs: int, level: int, resample: str | None = None) -> Block:
            return Block(inputs, outputs, embedding, config, config.kernels[level], resample)

        self.encoder = nn.ModuleList()
        skips = [channels]
        last = len(config.multipliers) - 1
        for level, multiplier in enumerate(config.multipliers):
            for _ in range(config.blocks):
                self.encoder.append(block(channels, width * multiplier, level))
                channels = width * multiplier
                skips.append(channels)
            if level < last:
                down = block(channels, channels, level, "down") if config.residual_resampling else Downsample(channels)
                self.encoder.append(down)
                skips.append(channels)

        self.decoder = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            for i in range(config.blocks + 1):
                skip = skips.pop()
                inputs = channels if level == last and i == 0 else channels + skip
                channels = width * multiplier
                stage = Stage([block(inputs, channels, level)])
                if level and i == config.blocks:
                    stage.append(block(channels, channels, level, "up") if config.residual_resampling else Upsample(channels))
                self.decoder.append(stage)

        self.norm = norm(channels, config)
        self.out = zero(nn.Conv2d(channels, config.image_channels * config.patch**2, 3, padding=1))

    @property
    def halo(self) -> int | None:
        """Pixels around a tile that it has to see for tiles to fit together; None where it sees the whole image."""
        return receptive_field(self.config) // 2 + self.config.stride if self.config.norm == "pixel" else None

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        h = F.pixel_unshuffle(pad_to_multiple(x, self.config.stride), self.config.patch)
        time = F.silu(self.time(sinusoid(t * self.config.steps - 1, self.config.channels).to(x.dtype)))
        h = self.stem(h)
        skips = [h]
        for layer in self.encoder:
            h = layer(h, time)
            skips.append(h)
        h = skips.pop()
        for i, stage in enumerate(self.decoder):
            if i > 0:
                h = torch.cat([h, skips.pop()], dim=1)
            h = stage(h, time)
        y = F.pixel_shuffle(self.out(F.silu(self.norm(h))), self.config.patch)
        return y[..., :height, :width]


class Stage(nn.ModuleList):
    """Layers of (x, time), one after the other."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, time)
        return x


class Block(nn.Module):
    """Residual block: norm, SiLU, (resample), convolution, time, norm, SiLU, convolution."""

    def __init__(
        self, inputs: int, outputs: int, embedding: int, config: PatchUNetConfig, kernel: int, resample: str | None
    ) -> None:
        super().__init__()
        self.scale_shift = config.scale_shift
        self.norm_in = norm(inputs, config)
        self.resample = {"down": AveragePool(), "up": Nearest(), None: nn.Identity()}[resample]
        self.conv_in = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.modulation = nn.Linear(embedding, outputs * (2 if config.scale_shift else 1))
        self.norm_out = norm(outputs, config)
        self.conv_out = zero(nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv_in(self.resample(F.silu(self.norm_in(x))))
        modulation = self.modulation(time)[..., None, None]
        if self.scale_shift:
            scale, shift = modulation.chunk(2, dim=1)
            h = self.norm_out(h) * (1 + scale) + shift
        else:
            h = self.norm_out(h + modulation)
        return self.skip(self.resample(x)) + self.conv_out(F.silu(h))


class Downsample(nn.Module):
    """Strided 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Nearest x 2, then a 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class AveragePool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2)


class Nearest(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="nearest")


def norm(channels: int, config: PatchUNetConfig) -> nn.Module:
    return nn.GroupNorm(config.groups, channels) if config.norm == "group" else PixelNorm(channels)
