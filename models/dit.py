"""The diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748), on pixels or behind a stem."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from models.conditioning import Told
from models.config import DiTConfig
from models.layers.basic import pad_to_multiple, zero
from models.layers.transformer import Transformer, modulated


class DiT(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1], cond) -> (B, C, H, W), for any H and W; `cond` as in `models.conditioning`.

    Squares of patch x patch pixels are the tokens. Sides that are no multiple of it are padded with zeros at the bottom and
    right, and cropped back.
    """

    def __init__(self, config: DiTConfig = DiTConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        self.told = Told(config.width, config.conditions)
        self.patches = nn.Conv2d(config.image_channels, config.width, config.patch, stride=config.patch)
        self.transformer = Transformer(config.width, config.depth, config.head, config.width, config.positions, config.dropout)
        self.modulation = zero(nn.Linear(config.width, 2 * config.width))
        self.out = zero(nn.Linear(config.width, config.image_channels * config.patch**2))

    def forward(self, x: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        told = self.told(t, cond)
        h = self.transformer(self.patches(pad_to_multiple(x, self.config.patch)), told)
        shift, scale = self.modulation(told)[:, None].chunk(2, dim=-1)
        h = self.out(modulated(rearrange(h, "b c h w -> b h w c").flatten(1, 2), shift, scale))
        p, rows = self.config.patch, -(-height // self.config.patch)
        y = rearrange(h, "b (rows columns) (c p q) -> b c (rows p) (columns q)", rows=rows, p=p, q=p)
        return y[..., :height, :width]
