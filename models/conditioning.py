"""How networks take in the severity and their condition."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.condition import Condition
from models.layers.embedding import sinusoid
from models.settings.dit import DiTConfig
from models.settings.unet import UNetConfig


class ConditionEmbedding(nn.Module):
    """SiLU(time(t) + E_label[label] + E_pooled pooled) (B, width), t (B,) in [0, 1]: what scales and shifts every block.

    A label of -1, pooled values of 0, and a part that is None add nothing. Raises ValueError for a part that it was not built
    for.
    """

    def __init__(self, width: int, classes: int = 0, pooled: int = 0) -> None:
        super().__init__()
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Linear(classes, width, bias=False) if classes else None
        self.pooled = nn.Linear(pooled, width, bias=False) if pooled else None

    def forward(self, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        dtype = next(self.parameters()).dtype
        embedding = self.time(sinusoid(1000 * t, self.width).to(dtype))
        if condition.label is not None:
            if self.label is None:
                raise ValueError("this network takes no label: build it with classes=, their number.")
            one_hot = condition.label[:, None] == torch.arange(self.label.in_features, device=t.device)
            embedding = embedding + self.label(one_hot.to(dtype))
        if condition.pooled is not None:
            if self.pooled is None:
                raise ValueError("this network takes no pooled vector: build it with pooled=, its channels.")
            embedding = embedding + self.pooled(condition.pooled.to(dtype))
        return F.silu(embedding)


def accepted(config: UNetConfig | DiTConfig) -> tuple[str, ...]:
    """The parts of a condition that a network of these settings takes."""
    sizes = {"label": config.classes, "pooled": config.pooled, "image": config.picture}
    return tuple(part for part, size in sizes.items() if size)


def with_picture(x: Tensor, picture: Tensor | None, channels: int) -> Tensor:
    """x (B, C, *space) and, as further channels, the picture (B, channels, *space), or zeros where it is None."""
    if picture is None:
        return torch.cat([x, x.new_zeros(len(x), channels, *x.shape[2:])], dim=1) if channels else x
    if not channels:
        raise ValueError("this network takes no picture: build it with picture=, its channels.")
    expected = (len(x), channels, *x.shape[2:])
    if picture.shape != expected:
        raise ValueError(f"this network takes a picture condition of shape {expected}, got {tuple(picture.shape)}.")
    return torch.cat([x, picture.to(x.dtype)], dim=1)
