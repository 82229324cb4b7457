"""Muon: momentum, made orthogonal, for the weights of convolutions; AdamW for everything else."""

from __future__ import annotations

import torch
from torch import Tensor

MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """W -= rate .2 sqrt(max(n, m)) O, O the nearest semi-orthogonal matrix to the Nesterov momentum of W (n, m).

    Convolutions of any rank count as matrices (outputs, inputs x kernel). All directions of a weight are learned at the same
    pace, also those with small gradients, so a short training gets much further than AdamW's. The factor gives an update the
    size of AdamW's, so both take the same rate. Jordan et al. 2024, kellerjordan.github.io/posts/muon; factor: Liu et al. 2025,
    arXiv 2502.16982, eq. 4. Everything else is AdamW's, also convolutions with fewer than 16 outputs.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        found_inf = getattr(self, "found_inf", torch.zeros(()))
        for group in self.param_groups:
            taken = [p for p in group["params"] if p.grad is not None and is_matrix(p)]
            directions = []
            for p in taken:  # where found_inf is 1 nothing moves, as in the fused AdamW, and nobody has to look at it
                momentum = self.state[p]["momentum"]
                grad = p.grad.nan_to_num_(0.0, 0.0, 0.0)
                momentum.lerp_(momentum * MOMENTUM + grad, 1 - found_inf)
                directions.append(grad.add_(momentum, alpha=MOMENTUM).flatten(1))
                p.grad = None
            for p, update in zip(taken, orthogonal(directions), strict=True):
                if group["weight_decay"]:
                    p.mul_(1 - (1 - found_inf) * group["lr"] * group["weight_decay"])
                rate = group["lr"] * 0.2 * max(p.shape[0], p[0].numel()) ** 0.5
                p.sub_((update * ((1 - found_inf) * rate)).view(p.shape))
        super().step()


def is_matrix(p: Tensor) -> bool:
    """Whether Muon takes the parameter."""
    return p.ndim > 2 and min(p.shape[0], p[0].numel()) >= 16


def orthogonal(matrices: list[Tensor], steps: int = 5) -> list[Tensor]:
    """About U V^T of each g (n, m) = U S V^T, singular values in .7 to 1.2: five steps of a quintic Newton-Schulz iteration.

    x <- (a + b s + c s s) x with s = x x^T is carried out on s alone, the smaller of the two Gram matrices, for all of one
    size together, and the product applied to x once: for a convolution's wide matrices less than half the work.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = [g.mT if g.shape[0] > g.shape[1] else g for g in matrices]
    wide = [x / (x.norm() + 1e-7) for x in wide]
    results: dict[int, Tensor] = {}
    for size in {len(x) for x in wide}:
        members = [i for i, x in enumerate(wide) if len(x) == size]
        s = torch.stack([wide[i] @ wide[i].mT for i in members])
        unit = torch.eye(size, dtype=s.dtype, device=s.device).expand_as(s)
        product = unit
        for _ in range(steps):
            p = torch.baddbmm(torch.add(a * unit, s, alpha=b), s, s, alpha=c)
            product, s = p @ product, p @ p @ s
        results |= {i: product[k] @ wide[i] for k, i in enumerate(members)}
    return [results[i].mT if g.shape[0] > g.shape[1] else results[i] for i, g in enumerate(matrices)]
