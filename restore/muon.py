"""Muon: momentum, made orthogonal, for the weights of convolutions and linear layers; AdamW for everything else."""

from __future__ import annotations

import torch
from torch import Tensor

MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """W -= rate .2 sqrt(max(n, m)) O, O the nearest semi-orthogonal matrix to the Nesterov momentum of W (n, m).

    Convolutions count as matrices (outputs, inputs x height x width). All directions of a weight are learned at the same pace,
    also those with small gradients, so a short training gets much further than AdamW's. The factor gives an update the size of
    AdamW's, so both take the same rate. Jordan et al. 2024, kellerjordan.github.io/posts/muon; factor: Liu et al. 2025, arXiv
    2502.16982, eq. 4. Vectors, and matrices with a side below 16 (an image's channels), are AdamW's.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        found_inf = getattr(self, "found_inf", None)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None or not is_matrix(p):
                    continue
                momentum = self.state[p]["momentum"]
                grad, moved = p.grad, momentum.mul(MOMENTUM).add_(p.grad)
                if found_inf is not None:  # as in the fused AdamW: nothing moves, and nobody has to look
                    grad, moved = (torch.where(found_inf > 0, old, new) for old, new in ((0.0, grad), (momentum, moved)))
                momentum.copy_(moved)
                update = orthogonal((grad + MOMENTUM * moved).flatten(1)).view(p.shape)
                if found_inf is not None:
                    update = update * (1 - found_inf)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * 0.2 * max(p.shape[0], p[0].numel()) ** 0.5)
                p.grad = None
        super().step()


def is_matrix(p: Tensor) -> bool:
    """Whether Muon takes the parameter."""
    return p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= 16


def orthogonal(g: Tensor, steps: int = 5) -> Tensor:
    """About U V^T of g (n, m) = U S V^T, singular values in .7 to 1.2: five steps of a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm() + 1e-7)
    x = x.mT if g.shape[0] > g.shape[1] else x
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if g.shape[0] > g.shape[1] else x
