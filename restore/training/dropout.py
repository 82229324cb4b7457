"""Dropout that depends on each image's own seed: not on the batch, the piece or the process that the image is taken up in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.overrides import TorchFunctionMode

from degrade.random import Counters, uniform


class Dropout(TorchFunctionMode):
    """Inside this context, what nn.Dropout drops of image i is drawn from generator i, one layer after the other.

    Serves any network that keeps the images of a batch apart in its first dimension: (B, ...), or (B n, ...).
    """

    def __init__(self, generators: Sequence[Generator] | Counters) -> None:
        super().__init__()
        self.generators = generators

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return (self.dropped if function is F.dropout else function)(*args, **kwargs or {})

    def dropped(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """x / (1 - p) where u >= p, else 0; u uniform in [0, 1)."""
        if not training or p == 0:
            return x
        images = len(self.generators)
        u = uniform((images, x.numel() // images), self.generators).reshape(x.shape)
        return x.masked_fill(u < p, 0.0) / (1 - p)


def drops_out(network: nn.Module) -> bool:
    """Whether the network has dropout layers that do anything."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in network.modules())
