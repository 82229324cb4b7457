"""What is missing from a picture, filled smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from samplers import enlarge

if TYPE_CHECKING:
    from torch import Tensor


def filled(known: Tensor, mask: Tensor) -> Tensor:
    """`known` (B, C, H, W) where `mask` (B, 1, H, W) is 1, and around it what lies next to it, ever smoother further away.

    Means over squares of 2, 4, 8, ... known pixels, enlarged again (Gortler et al. 1996, "The Lumigraph", section 3.4).
    Where nothing is known it is 0.
    """
    if max(mask.shape[2:]) == 1:
        return known
    share = torch.nn.functional.avg_pool2d(mask, 2, ceil_mode=True, count_include_pad=False)
    mean = torch.nn.functional.avg_pool2d(known * mask, 2, ceil_mode=True, count_include_pad=False)
    coarser = filled(mean / share.clamp(min=1e-6), (share > 0).to(mask))
    return torch.lerp(enlarge(coarser, (known.shape[2], known.shape[3])), known, mask)
