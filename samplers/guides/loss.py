"""Guidance by any differentiable loss on the estimate of the clean image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import on_host, per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def loss_guidance(
    restore: Restore,
    loss: Callable[[Tensor], Tensor],
    weight: float,
    iterations: int = 1,
    through: bool = False,
    until: float = 0.0,
) -> Restore:
    """x0_hat moved down the gradient of `loss`, which maps images (B, C, H, W) to numbers (B,), at severities above `until`.

        x0_hat <- x0_hat - weight g / max |g|,    g = d loss / d x0_hat

    for each image, `iterations` times: a step changes no value by more than `weight`, whatever the loss is scaled to. With
    `through`, g is the gradient with respect to x_t, through the restorer, whose Jacobian keeps the change on what images look
    like (Chung et al. 2022, arXiv 2209.14687); without, the loss is asked alone, at little cost (He et al. 2023, arXiv
    2311.16424). At weight 0 it is `restore` itself. Raises ValueError where the loss does not depend on the image.
    """
    if weight == 0:
        return restore
    if through and iterations != 1:
        raise ValueError("a gradient through the restorer is taken once a step: iterations is 1 then.")

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        if not bool((on_host(t) > until).any()):
            return restore(x_t, t)
        active = (t > until).to(x_t.dtype)
        if through:
            x = x_t.detach().requires_grad_()
            with torch.enable_grad():
                x0 = restore(x, t)
                g = _gradient(loss(x0), x)
            return (x0 - per_sample(weight * active, x0) * _scaled(g)).detach()
        x0 = restore(x_t, t)
        for _ in range(iterations):
            with torch.enable_grad():
                y = x0.detach().requires_grad_()
                g = _gradient(loss(y), y)
            x0 = x0 - per_sample(weight * active, x0) * _scaled(g)
        return x0

    return guided


def _gradient(values: Tensor, x: Tensor) -> Tensor:
    if values.ndim != 1 or len(values) != len(x):
        raise ValueError(f"a loss gives a number for each image ({len(x)},), got {tuple(values.shape)}.")
    if not values.requires_grad:
        raise ValueError("the loss does not depend on the image, or was computed without gradients: nothing to follow.")
    return torch.autograd.grad(values.sum(), x)[0]


def _scaled(g: Tensor) -> Tensor:
    """Each image's gradient over its largest absolute value; 0 where it is 0."""
    return g / per_sample(g.flatten(1).abs().amax(1).clamp(min=1e-30), g)
