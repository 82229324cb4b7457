"""The diffusion transformer (Peebles & Xie 2022, arXiv 2212.09748), on pixels or behind a stem."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from models.condition import Condition
from models.conditioning import ConditionEmbedding, with_picture
from models.layers.basic import pad_to_multiple, zero
from models.layers.transformer import Transformer, modulated
from models.settings.dit import DiTConfig


class DiT(nn.Module):
    """net(x (B, C, H, W), t (B,) in [0, 1], condition) -> (B, C, H, W), for any H and W.

    It accepts a label, a pooled vector, tokens, text and a picture, if its settings give it a size (models/condition.py).

    Squares of patch x patch pixels are the tokens. Sides that are no multiple of it are padded with zeros at the bottom and
    right, and cropped back.
    """

    def __init__(self, config: DiTConfig = DiTConfig()) -> None:  # noqa: B008
        super().__init__()
        self.config = config
        self.accepts = config.accepts
        self.embedding = ConditionEmbedding(config.width, config)
        self.patches = nn.Conv2d(config.image_channels + config.picture, config.width, config.patch, stride=config.patch)
        self.transformer = Transformer(
            config.width, config.depth, config.head, config.width, config.positions, config.dropout, config.attends
        )
        self.modulation = zero(nn.Linear(config.width, 2 * config.width))
        self.out = zero(nn.Linear(config.width, config.image_channels * config.patch**2))

    def embedded(self, condition: Condition) -> Condition:
        """The condition with what the text encoder makes of its text, as tokens in place of it, where there is such a one."""
        return self.embedding.embedded(condition)

    def forward(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        height, width = x.shape[-2:]
        x = with_picture(x, condition.image, self.config.picture)
        given = self.embedding(t, condition)
        h = self.transformer(self.patches(pad_to_multiple(x, self.config.patch)), given)
        shift, scale = self.modulation(given.vector)[:, None].chunk(2, dim=-1)
        h = self.out(modulated(rearrange(h, "b c h w -> b h w c").flatten(1, 2), shift, scale))
        p, rows = self.config.patch, -(-height // self.config.patch)
        y = rearrange(h, "b (rows columns) (c p q) -> b c (rows p) (columns q)", rows=rows, p=p, q=p)
        return y[..., :height, :width]
