"""A network and a source of the tests' own, for conditions that no network of the project takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from degrade.random import uniform
from models import Condition
from restore import Batch, Batches


class Text(nn.Module):
    """A convolution, its input shifted by the attention of the image's mean to the tokens that the mask leaves."""

    accepts = ("tokens",)

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, width)
        self.value = nn.Linear(width, channels, bias=False)
        self.out = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        if condition.tokens is None or condition.mask is None:
            return self.out(x)
        score = (condition.tokens @ self.query(x.mean((2, 3)))[..., None]).exp() * condition.mask[..., None]
        read = (score * condition.tokens).sum(1) / (1 + score.sum(1))
        return self.out(x + self.value(read)[..., None, None])


@dataclass(frozen=True)
class TextConfig:
    """Settings of `Text`."""

    image_channels: int = 3
    width: int = 4
    stride: int = 1

    def build(self) -> Text:
        return Text(self.image_channels, self.width)


@dataclass(frozen=True)
class Captioned:
    """Grey images (3, size, size) whose caption, `words` tokens (4,), names their level; the rest of it is masked."""

    size: int = 8
    words: int = 3

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            level = (2 * uniform((count, 1, 1, 1), generator) - 1)[shard].to(device)
            tokens = level.reshape(-1, 1, 1).expand(-1, self.words, 4)
            mask = (torch.arange(self.words, device=device) < 2).expand(len(level), -1)
            return Batch(level.expand(-1, 3, self.size, self.size), Condition(tokens=tokens, mask=mask))

        return Batches(draw, torch.zeros(2, 3, self.size, self.size, device=device))

    def read(self, file: Path) -> Tensor:
        return torch.zeros(3, self.size, self.size)

    def middle(self, file: Path) -> Tensor:
        return self.read(file)
