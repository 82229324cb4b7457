"""Images that are their own mirror image or half turn, or that can be tiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


Symmetry = Literal["left-right", "up-down", "rotation"]
"""Equal to its mirror image, left to right or top to bottom, or to its half turn."""


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
