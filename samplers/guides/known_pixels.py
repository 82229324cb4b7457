"""Known pixels: inpainting and outpainting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.spectral import gaussian_blur

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def known_pixels(restore: Restore, known: Tensor, mask: Tensor, reach: float = 0.0) -> Restore:
    """x0_hat is `known` where mask (1 or B, 1, H, W) is 1: inpainting and outpainting.

    So that no step shows at the border, what x0_hat is off by there is carried on around it, its colour further than its
    texture: x0_hat + blur(mask (known - x0_hat)) / max(blur(mask), 1/2), for Gaussian blurs of standard deviation `reach`
    pixels, a third of it, a ninth, ... and at last 1.
    """
    sigmas = [max(1.0, reach / 3**i) for i in range(math.ceil(math.log(max(reach, 1.0), 3)) + 1)] if reach else []
    shares = [gaussian_blur(mask, sigma).clamp(min=0.5) for sigma in sigmas]

    def kept(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = restore(x_t, t)
        for sigma, share in zip(sigmas, shares, strict=True):
            x0 = x0 + gaussian_blur(mask * (known - x0), sigma) / share
        return torch.lerp(x0, known, mask)

    return kept
