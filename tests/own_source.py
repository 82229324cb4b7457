"""A source of the tests' own: images that need no file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from degrade.random import uniform
from restore import Batch, Batches


@dataclass(frozen=True)
class Stripes:
    """Cosines along the width (3, size, size), of random phase."""

    size: int = 16
    """Pixels along each side."""
    period: float = 8.0
    """Pixels from one stripe to the next."""

    def open(self, path: Path, device: torch.device | str = "cpu") -> Batches:
        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            return Batch(self.at(uniform((count,), generator)[shard]).to(device))

        return Batches(draw, self.at(torch.zeros(1)).to(device))

    def read(self, file: Path) -> Tensor:
        return self.at(torch.zeros(1))[0]

    def middle(self, file: Path) -> Tensor:
        return self.read(file)

    def at(self, phase: Tensor) -> Tensor:
        wave = (2 * torch.pi * (torch.arange(self.size) / self.period + phase[:, None])).cos()
        return wave[:, None, None].expand(-1, 3, self.size, self.size)
