"""A network and a source of the tests' own, for labels and pictures: the network has no setting called `classes`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from degrade.random import integers
from models import Condition
from restore import Batch, Batches


@dataclass(frozen=True)
class ShadedConfig:
    """Settings of `Shaded`."""

    part: Literal["label", "image"] = "label"
    image_channels: int = 3
    stride: int = 1

    def build(self) -> Shaded:
        return Shaded(self.part, self.image_channels)


class Shaded(nn.Module):
    """A convolution, its input shifted by a multiple of the shade that it is told: 0 for nothing."""

    def __init__(self, part: str, channels: int) -> None:
        super().__init__()
        self.accepts = (part,)
        self.shift = nn.Parameter(torch.ones(channels, 1, 1))
        self.out = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        if condition.image is not None:
            x = x + self.shift * condition.image
        if condition.label is not None:
            shade = torch.tensor([0.0, -1.0, 1.0]).to(x)[condition.label + 1]
            x = x + self.shift * shade.reshape(-1, 1, 1, 1)
        return self.out(x)


@dataclass(frozen=True)
class Shades:
    """Dark and bright images (3, size, size), told by their class or by a picture (1, size, size) of the shade."""

    part: Literal["label", "image"] = "label"
    size: int = 8

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            label = integers(2, (count,), generator)[shard].to(device)
            x0 = (2.0 * label - 1).reshape(-1, 1, 1, 1).expand(-1, 3, self.size, self.size)
            return Batch(x0, Condition(label=label) if self.part == "label" else Condition(image=x0[:, :1]))

        images = torch.ones(2, 3, self.size, self.size, device=device)
        return Batches(draw, images, classes=("dark", "bright") if self.part == "label" else ())

    def read(self, file: Path) -> Tensor:
        return torch.ones(3, self.size, self.size)

    def middle(self, file: Path) -> Tensor:
        return self.read(file)
