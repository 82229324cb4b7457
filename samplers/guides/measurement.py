"""What was measured of an image, y = A(x0) + noise n, and the linear algebra that its operator allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import per_sample, wide, wide_dtype
from degrade.transfer import told
from samplers.guides.decomposition import Decomposition, decomposition
from samplers.guides.dense import dense

if TYPE_CHECKING:
    from torch import Tensor

Forward = Callable[["Tensor"], "Tensor"]
"""A: images (B, C, *space) in [-1, 1] to measurements (B, ...), each on its own."""
ENOUGH = 1e-6
"""Of what conjugate gradients began with: with so little left they end."""
LINEAR = 1e-3
"""Of what an operator changes, what its answer to a sum may differ from the sum of its answers."""
LEAST = 1e-6
"""Of the largest factor that a covariance has, what counts."""
TINY = 1e-30
NO_GRADIENT = "the operator has no gradient, or one of 0: it must be made of differentiable operations of torch."


@dataclass(frozen=True, eq=False)
class Measurement:
    """y = A(x0) + noise n, n standard normal.

    y: (B, ...), one for each image that is made. operator: A, images (B, C, *space) in [-1, 1] to what y has the shape of, each
    on its own, differentiable. noise: its standard deviation, in the unit of y; images have values in [-1, 1], so that .05 is
    6 of 255. shape: (B, C, *space), of the images. tried: whether it is known that the operator leaves its images as they are
    and answers alike twice; else two calls find out. Raises ValueError where these do not fit.
    """

    y: Tensor
    operator: Forward
    noise: float
    shape: tuple[int, ...]
    tried: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise is a standard deviation of at least 0, of images in [-1, 1], got {self.noise}.")
        if not bool(self.y.isfinite().all()):
            raise ValueError("the measurement holds NaN or infinite values.")
        if not isinstance(self.at_nothing, torch.Tensor) or not bool(self.at_nothing.isfinite().all()):
            raise ValueError(
                "the operator makes no finite tensor of a grey image: it takes a batch of images, and returns a tensor."
            )
        if not self.at_nothing.is_floating_point():
            raise ValueError(
                f"the operator makes {self.at_nothing.dtype}, measurements are real numbers, such as torch.float32."
            )
        given = tuple(self.at_nothing.shape)
        if given != tuple(self.y.shape):
            raise ValueError(
                f"the operator makes {given} of images {self.shape}, the measurement is {tuple(self.y.shape)}: give the size "
                "of the image that it is of, or another operator."
            )
        if not self.tried:
            self._try()

    def _try(self) -> None:
        image = self._noise()
        with torch.no_grad():
            kept, first, again = image.clone(), self.operator(image), self.operator(image.clone())
        if not torch.equal(image, kept):
            raise ValueError("the operator changes the images that it is given: let it work on a copy (x.clone()).")
        if not torch.allclose(first, again, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise ValueError("the operator draws something at random each time: draw it once, before, and use that.")

    def residual(self, x0: Tensor) -> Tensor:
        """y - A(x0)."""
        return self.y - self.operator(x0)

    def forward(self, v: Tensor) -> Tensor:
        """L v, for a linear operator A(x) = L x + A(0); at the size of an image, so that little is lost beside A(0)."""
        size = v.flatten(1).abs().amax(1).clamp(min=TINY)
        changed = self.operator(v / per_sample(size, v)) - self.at_nothing
        return per_sample(size, changed) * changed

    def adjoint(self, u: Tensor) -> Tensor:
        """L^T u, by the vector-Jacobian product."""
        x, y = self._graph
        return torch.autograd.grad(y, x, u.to(y), retain_graph=True)[0]

    def check_gradient(self) -> None:
        """Raises ValueError where the operator tells nothing of how its images are to change: at an image of noise."""
        with torch.enable_grad():
            x = self._noise().requires_grad_()
            y = self.operator(x)
            if not y.requires_grad:
                raise ValueError(NO_GRADIENT)
            along = torch.rand(y.shape, generator=torch.Generator().manual_seed(0)).to(y)
            (gradient,) = torch.autograd.grad(y, x, along, allow_unused=True)
        if gradient is None or not bool(gradient.isfinite().all()) or not bool((gradient != 0).any()):
            raise ValueError(NO_GRADIENT)

    def _noise(self, seed: int = 0) -> Tensor:
        return (torch.rand(self.shape, generator=torch.Generator().manual_seed(seed)) - 0.5).to(self.y)

    @cached_property
    def linear(self) -> bool:
        """Whether A(a + 2 b) = A(a) + 2 (A(b) - A(0)) for two images of noise, of each of the images."""
        a, b = self._noise(), self._noise(1)
        with torch.no_grad():
            expected = self.operator(a) + 2 * (self.operator(b) - self.at_nothing)
            error = (self.operator(a + 2 * b) - expected).flatten(1).abs().amax(1)
            change = (expected - self.at_nothing).flatten(1).abs().amax(1)
        return bool((error <= LINEAR * change.clamp(min=1e-4)).all())

    def near(self, x: Tensor) -> tuple[Forward, Forward]:
        """v -> L v and u -> L^T u, L the derivative of A at x: by the vector-Jacobian product, and by that one's."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = self.operator(x)
            u = torch.zeros_like(y).requires_grad_()
            (transposed,) = torch.autograd.grad(y, x, u, create_graph=True)

        def forward(v: Tensor) -> Tensor:
            return torch.autograd.grad(transposed, u, v.to(y), retain_graph=True)[0]

        def adjoint(u: Tensor) -> Tensor:
            return torch.autograd.grad(y, x, u.to(y), retain_graph=True)[0]

        return forward, adjoint

    def least_squares(self, r: Tensor, damping: Tensor | float = 0.0, enough: float = ENOUGH) -> Tensor:
        """The d (B, C, *space) that lowers ||r - L d||^2 + damping ||d||^2, for a linear operator: in closed form where its
        singular values are known (decomposition.py, dense.py), else by conjugate gradients (`least_squares` below)."""
        if self.decomposition is None:
            return least_squares(self.forward, self.adjoint, r, damping, enough=enough)
        return self.decomposition.least_squares(r, _damping(damping, r))

    @cached_property
    def decomposition(self) -> Decomposition | None:
        """L = U S V^H of a linear operator, where a few trials tell it, or it is small (dense.py)."""
        with torch.no_grad():
            return decomposition(self.forward, self._noise()) or dense(self.forward, self._noise())

    @cached_property
    def at_nothing(self) -> Tensor:
        """A(0)."""
        try:
            with torch.no_grad():
                return self.operator(torch.zeros(self.shape).to(self.y))
        except (RuntimeError, ValueError, TypeError) as error:  # other shapes: a stranger's operator, or another's latent
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"the operator, or its latent, does not fit images of shape {self.shape}: {reason}") from None

    @cached_property
    def _graph(self) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = torch.zeros(self.shape).to(self.y).requires_grad_()
            y = self.operator(x)
        if not y.requires_grad:
            raise ValueError(NO_GRADIENT)
        return x, y


def least_squares(
    forward: Forward, adjoint: Forward, r: Tensor, damping: Tensor | float = 0.0, iterations: int = 50, enough: float = ENOUGH
) -> Tensor:
    """The d that lowers ||r - L d||^2 + damping ||d||^2; of several, damping being 0, the smallest: L^+ r.

    Conjugate gradients on the normal equations (Bjorck 1996, "Numerical Methods for Least Squares Problems", section 7.4), from
    0, by v -> L v and u -> L^T u; each image on its own, damping (B,) or one for all. An image is done where L^T r has fallen
    to `enough` of what it was, or to what rounding leaves of it (Paige & Saunders 1982).
    """
    damping, ended = _damping(damping, r), Ended()
    s = adjoint(r)
    d, p, gamma = torch.zeros_like(s), s, dot(s, s)
    least, largest = gamma * enough**2, torch.zeros_like(gamma)
    rounding = (4 * torch.finfo(r.dtype).eps) ** 2 * dot(r, r)
    for _ in range(iterations):
        q = forward(p)
        squares, image = dot(q, q), dot(p, p)
        largest = torch.maximum(largest, _over(squares, image))
        going = gamma > torch.maximum(least, rounding * largest)
        if ended(going):
            break
        step = torch.where(going, _over(gamma, squares + damping * image), 0)
        d, r = d + per_sample(step, d) * p, r - per_sample(step, r) * q
        s = adjoint(r) - per_sample(damping, d) * d
        before, gamma = gamma, torch.where(going, dot(s, s), gamma)
        p = s + per_sample(_over(gamma, before), s) * p
    return d


def conjugate_gradients(apply: Callable[[Tensor], Tensor], b: Tensor, iterations: int) -> Tensor:
    """u (B, ...) with apply(u) = b, nearly: `apply` linear, symmetric and positive, each image on its own.

    What `apply` makes next to nothing of, LEAST of the most, is left out: there u would be a quotient of roundings.
    """
    u, r, p = torch.zeros_like(b), b, b
    gamma, ended = dot(r, r), Ended()
    going = gamma > 0
    enough, most, floor = gamma * ENOUGH**2, torch.zeros_like(gamma), torch.zeros_like(gamma)
    for number in range(iterations):
        q = apply(p)
        image = dot(p, p)
        if number == 0:
            floor = LEAST * _over(dot(p, q), image).clamp(min=0)
        q = q + per_sample(floor, q) * p
        curvature = dot(p, q)
        most = torch.maximum(most, _over(curvature, image))
        going = going & (gamma > enough) & (curvature > LEAST * most * image)
        step = torch.where(going, _over(gamma, curvature), 0)
        u, r = u + per_sample(step, u) * p, r - per_sample(step, r) * q
        before, gamma = gamma, dot(r, r)
        if ended(going):
            break
        p = r + per_sample(_over(gamma, before), r) * p
    return u


class Ended:
    """Whether none of what was `going` (B,) in some round goes on, as far as it is known here: a GPU is not waited for, and may
    be rounds behind. Rounds that come after an image's last leave it as it is."""

    def __init__(self) -> None:
        self.asked: deque[Callable[[], bool | None]] = deque()

    def __call__(self, going: Tensor) -> bool:
        self.asked.append(told(going.any()))
        while self.asked and (goes_on := self.asked[0]()) is not None:
            self.asked.popleft()
            if not goes_on:
                return True
        return False


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Of each image (B,), in the wide dtype."""
    return (wide(a) * wide(b)).flatten(1).sum(1)


def _damping(damping: Tensor | float, r: Tensor) -> Tensor:
    """(B,), in the wide dtype."""
    if isinstance(damping, torch.Tensor):
        return wide(damping).expand(len(r))
    return torch.full((len(r),), damping, dtype=wide_dtype(r.device), device=r.device)


def _over(a: Tensor, b: Tensor) -> Tensor:
    """a / b (B,), 0 where b is."""
    return torch.where(b == 0, 0, a / torch.where(b == 0, 1, b))
