"""Agreement of a restored image with the clean one. Images (B, C, H, W) in [-1, 1]; one figure for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def rmse(x: Tensor, clean: Tensor) -> Tensor:
    """Root mean square error (B,), in units of [0, 1] pixels."""
    return ((x - clean) / 2).square().flatten(1).mean(1).sqrt()


def psnr(x: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) in dB, after clipping x to [-1, 1]; infinite for equal images."""
    from kornia.metrics import psnr as one

    return torch.stack([one(a.clamp(-1, 1), b, 2.0) for a, b in zip(x, clean, strict=True)])


def ssim(x: Tensor, clean: Tensor, window: int = 11) -> Tensor:
    """Structural similarity (B,) with a Gaussian window (Wang et al. 2004), after clipping x to [-1, 1]."""
    from kornia.metrics import ssim as mapped

    return mapped((x.clamp(-1, 1) + 1) / 2, (clean + 1) / 2, window, max_val=1.0).flatten(1).mean(1)
