"""What a restorer sees, and gives, is held within bounds: of values, and of sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def clip(restore: Restore, low: float = -1.0, high: float = 1.0) -> Restore:
    """x0_hat held within [low, high]."""
    return lambda x_t, t: restore(x_t, t).clamp(low, high)


def threshold(restore: Restore, quantile: float) -> Restore:
    """x0_hat held within [-1, 1]: clamped to [-s, s] and divided by s, where s is the `quantile` of the |x0_hat| of an image,
    at least 1 (dynamic thresholding; Saharia et al. 2022, arXiv 2205.11487, section 2.3)."""

    def held(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = restore(x_t, t)
        s = per_sample(x0.flatten(1).float().abs().quantile(quantile, dim=1).clamp(min=1), x0)
        return x0.clamp(-s, s) / s

    return held


def pad_to(restore: Restore, multiple: int, mirrored: bool = False) -> Restore:
    """The restorer sees x_t padded at the bottom and right to a multiple of `multiple`, with zeros or, `mirrored`, what lies
    before the edge; x0_hat is cropped back."""

    def padded(x_t: Tensor, t: Tensor) -> Tensor:
        height, width = x_t.shape[-2:]
        room = (0, -width % multiple, 0, -height % multiple)
        fits = room[1] < width and room[3] < height
        mode = ("reflect" if fits else "replicate") if mirrored else "constant"
        wide = torch.nn.functional.pad(x_t, room, mode=mode)
        return restore(wide, t)[..., :height, :width]

    return padded
