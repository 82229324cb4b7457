"""Guides: functions from a restorer to a restorer. They compose, and serve every sampler and degradation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from degrade.gaussian_blur import GaussianBlur
from degrade.lazy import torch
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


Symmetry = Literal["left-right", "up-down", "rotation"]


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


def low_frequencies(restore: Restore, reference: Tensor, sigma: float, share: float = 1.0, until: float = 0.0) -> Restore:
    """x0_hat takes over `share` of the low frequencies of `reference` (B or 1, C, H, W), at severities above `until`.

    x0_hat + share (blur(reference) - blur(x0_hat)), a Gaussian blur of `sigma` pixels: the structure of one image with the
    detail of another, and what binds a scale of a pyramid to the coarser one (Choi et al. 2021, arXiv 2108.02938).
    """
    blur = GaussianBlur(sigma)

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = restore(x_t, t)
        change = blur((reference - x0), torch.ones(len(x0), device=x0.device))
        return x0 + per_sample((t > until) * share, x0) * change

    return guided


def classifier_free(told: Restore, untold: Restore, weight: float, until: float = 0.0, since: float = 1.0) -> Restore:
    """untold + weight (told - untold): what the condition changes, more strongly (Ho & Salimans 2022, arXiv 2207.12598).

    At weight 1 it is `told`, and costs one call. So it is at severities outside of (until, since]: guidance of high severities
    narrows the variety, of low ones does nothing (Kynkaanniemi et al. 2024, arXiv 2404.07724).
    """
    if weight == 1:
        return told

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = told(x_t, t)
        within = (t > until) & (t <= since)
        if not bool(within.any()):
            return x0
        return torch.where(per_sample(within, x0) > 0, torch.lerp(untold(x_t, t), x0, weight), x0)

    return guided


def keep(restore: Restore, known: Tensor, mask: Tensor, reach: float = 0.0) -> Restore:
    """x0_hat is `known` where mask (1 or B, 1, H, W) is 1: inpainting and outpainting.

    So that no step shows at the border, what x0_hat is off by there is carried on around it, its colour further than its
    texture: x0_hat + blur(mask (known - x0_hat)) / max(blur(mask), 1/2), for Gaussian blurs of standard deviation `reach`
    pixels, a third of it, a ninth, ... and at last 1.
    """
    blurs = [GaussianBlur(max(1.0, reach / 3**i)) for i in range(math.ceil(math.log(max(reach, 1.0), 3)) + 1)] if reach else []
    shares = [blur(mask, torch.ones(len(mask), device=mask.device)).clamp(min=0.5) for blur in blurs]

    def kept(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = restore(x_t, t)
        for blur, share in zip(blurs, shares, strict=True):
            x0 = x0 + blur(mask * (known - x0), torch.ones(len(x0), device=x0.device)) / share
        return torch.lerp(x0, known, mask)

    return kept


def symmetric(restore: Restore, symmetry: Symmetry) -> Restore:
    """The left (or top) half decides: x_t and x0_hat are mirrored "left-right" or "up-down", or turned by 180 degrees."""

    def completed(x: Tensor) -> Tensor:
        dim = -1 if symmetry == "left-right" else -2
        half = x.shape[dim] // 2
        other = x.flip((-2, -1) if symmetry == "rotation" else dim)
        return torch.cat([x.narrow(dim, 0, half), other.narrow(dim, half, x.shape[dim] - half)], dim)

    def centred(x: Tensor) -> Tensor:
        """An odd middle row turns onto itself: it is averaged with its turn, which leaves one that does so as it is."""
        return (x + x.flip((-2, -1))) / 2 if symmetry == "rotation" and x.shape[-2] % 2 else x

    return lambda x_t, t: centred(completed(restore(completed(x_t), t)))


def seamless(restore: Restore, margin: int) -> Restore:
    """The restorer sees x_t continued around its edges by `margin` pixels, so that the result can be tiled."""

    def wrapped(x_t: Tensor, t: Tensor) -> Tensor:
        height, width = x_t.shape[-2:]
        rows = torch.arange(-margin, height + margin, device=x_t.device) % height
        columns = torch.arange(-margin, width + margin, device=x_t.device) % width
        x0 = restore(x_t[..., rows, :][..., columns], t)
        return x0[..., margin : margin + height, margin : margin + width]

    return wrapped
