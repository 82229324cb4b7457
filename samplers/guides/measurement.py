"""What was measured of an image, y = A(x0) + noise n, and the linear algebra that its operator allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

ENOUGH = 1e-6
"""Of what conjugate gradients began with: with so little left they end."""
LINEAR = 1e-3
"""Of its values, what an operator's answer to a sum may differ from the sum of its answers."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """y = A(x0) + noise n, n standard normal.

    y: (B, ...), one for each image that is made. operator: A, images (B, C, *space) in [-1, 1] to what y has the shape of, each
    on its own, differentiable. noise: its standard deviation, in the unit of y; images have values in [-1, 1], so that .05 is
    6 of 255. shape: (B, C, *space), of the images. Raises ValueError where these do not fit.
    """

    y: Tensor
    operator: Callable[[Tensor], Tensor]
    noise: float
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise is a standard deviation of at least 0, of images in [-1, 1], got {self.noise}.")
        if not bool(self.y.isfinite().all()):
            raise ValueError("the measurement holds NaN or infinite values.")
        given = tuple(self.at_nothing.shape)
        if given != tuple(self.y.shape):
            raise ValueError(
                f"the operator makes {given} of images {self.shape}, the measurement is {tuple(self.y.shape)}: give the size "
                "of the image that it is of, or another operator."
            )

    def residual(self, x0: Tensor) -> Tensor:
        """y - A(x0)."""
        return self.y - self.operator(x0)

    def forward(self, v: Tensor) -> Tensor:
        """L v, for a linear operator A(x) = L x + A(0)."""
        return self.operator(v) - self.at_nothing

    def adjoint(self, u: Tensor) -> Tensor:
        """L^T u, by the vector-Jacobian product."""
        x, y = self._graph
        return torch.autograd.grad(y, x, u.to(y), retain_graph=True)[0]

    @cached_property
    def linear(self) -> bool:
        """Whether A(a + 2 b) = A(a) + 2 (A(b) - A(0)) for two images of noise."""
        generator = torch.Generator().manual_seed(0)
        a, b = ((torch.rand(self.shape, generator=generator) - 0.5).to(self.y) for _ in range(2))
        with torch.no_grad():
            expected = self.operator(a) + 2 * self.forward(b)
            error = (self.operator(a + 2 * b) - expected).abs().amax()
        return float(error) <= LINEAR * max(1e-3, float(expected.abs().amax()))

    def least_squares(self, r: Tensor, damping: Tensor | float = 0.0, iterations: int = 50) -> Tensor:
        """The d (B, C, *space) that lowers ||r - L d||^2 + damping ||d||^2; of several, damping being 0, the smallest: L^+ r.

        Conjugate gradients on the normal equations (Bjorck 1996, "Numerical Methods for Least Squares Problems", section 7.4),
        from 0; each image on its own, damping (B,) or one for all.
        """
        damping = torch.as_tensor(damping, dtype=torch.float64).expand(len(r))
        d, s = torch.zeros(self.shape).to(r), self.adjoint(r)
        p, gamma = s, _dot(s, s)
        enough = gamma * ENOUGH**2
        for _ in range(iterations):
            q = self.forward(p)
            step = _over(gamma, _dot(q, q) + damping.to(gamma) * _dot(p, p))
            d, r = d + per_sample(step, d) * p, r - per_sample(step, r) * q
            s = self.adjoint(r) - per_sample(damping, d) * d
            before, gamma = gamma, _dot(s, s)
            if bool((gamma <= enough).all()):
                break
            p = s + per_sample(_over(gamma, before), s) * p
        return d

    @cached_property
    def at_nothing(self) -> Tensor:
        """A(0)."""
        with torch.no_grad():
            return self.operator(torch.zeros(self.shape).to(self.y))

    @cached_property
    def _graph(self) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = torch.zeros(self.shape).to(self.y).requires_grad_()
            y = self.operator(x)
        if not y.requires_grad:
            raise ValueError("the operator has no gradient: it must be made of differentiable operations of torch.")
        return x, y


def conjugate_gradients(apply: Callable[[Tensor], Tensor], b: Tensor, iterations: int) -> Tensor:
    """u (B, ...) with apply(u) = b, nearly: `apply` linear, symmetric and positive, each image on its own."""
    u, r, p = torch.zeros_like(b), b, b
    gamma = _dot(r, r)
    enough = gamma * ENOUGH**2
    for _ in range(iterations):
        q = apply(p)
        curvature = _dot(p, q)
        step = torch.where(curvature > 0, _over(gamma, curvature), 0)  # an estimated covariance may fail to be positive
        u, r = u + per_sample(step, u) * p, r - per_sample(step, r) * q
        before, gamma = gamma, _dot(r, r)
        if bool((gamma <= enough).all()):
            break
        p = r + per_sample(_over(gamma, before), r) * p
    return u


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Of each image (B,), in float64."""
    return (a.double() * b.double()).flatten(1).sum(1)


def _over(a: Tensor, b: Tensor) -> Tensor:
    """a / b (B,), 0 where b is."""
    return torch.where(b == 0, 0, a / torch.where(b == 0, 1, b))
