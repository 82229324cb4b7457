"""LPIPS of restored images, by a user's own weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models.lpips import LPIPS, Kind
from restore.storage.weights import load_network, names


class Perceptual(NamedTuple):
    """A name to quote with every figure, and images (B, C, H, W) in [-1, 1] with the clean ones -> distances (B,)."""

    name: str
    distance: Callable[[Tensor, Tensor], Tensor]


def perceptual(weights: Path, device: torch.device | str = "cpu") -> Perceptual:
    """LPIPS with AlexNet or VGG-16, as the safetensors file has it; x is clipped to [-1, 1], grey images are taken as colour.

    Raises ValueError in one line for a file that does not hold its weights.
    """
    kind: Kind = "vgg" if "features.28.weight" in names(weights) else "alex"
    network = load_network(partial(LPIPS, kind), weights).to(device)

    @torch.no_grad()
    def distance(x: Tensor, clean: Tensor) -> Tensor:
        parts = zip(*(images.clamp(-1, 1).expand(-1, 3, -1, -1).to(device).split(16) for images in (x, clean)), strict=True)
        return torch.cat([network(*pair).cpu() for pair in parts])

    return Perceptual(f"LPIPS 0.1 with {kind}, weights {weights.name}", distance)
