"""What a restorer sees, and gives, is held within bounds: of values, and of sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def clip(restore: Restore, low: float = -1.0, high: float = 1.0) -> Restore:
    """x0_hat held within [low, high]."""
    return lambda x_t, t: restore(x_t, t).clamp(low, high)


def pad_to(restore: Restore, multiple: int) -> Restore:
    """The restorer sees x_t padded with zeros at the bottom and right to a multiple of `multiple`; x0_hat is cropped back."""

    def padded(x_t: Tensor, t: Tensor) -> Tensor:
        height, width = x_t.shape[-2:]
        wide = torch.nn.functional.pad(x_t, (0, -width % multiple, 0, -height % multiple))
        return restore(wide, t)[..., :height, :width]

    return padded
