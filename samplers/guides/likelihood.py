"""Posterior sampling: guides by a measurement y = A(x0) + noise n, for any operator, under a prior of Gaussian noise.

    x0' = x0_hat + (sigma_t^2 / alpha_t) grad_{x_t} log p(y | x_t)        is E[x0 | x_t, y], where the gradient is exact

With r = y - A(x0_hat), A x = L x + c, and J = d x0_hat / d x_t, of which C = (sigma_t^2 / alpha_t) J is the covariance of x0
given x_t (Tweedie's formula), the methods are

| method | x0' - x0_hat | needs |
| --- | --- | --- |
| ddnm | L^+ r, of which so much that its noise, L being of size 1, is at most that of x_t | a linear operator |
| diffpir | rho^2 L^T (rho^2 L L^T + noise^2)^-1 r, rho^2 = sigma_t^2 / (ratio alpha_t^2) | any operator, see below |
| pigdm | C L^T (v L L^T + noise^2)^-1 r, v = sigma_t^2 / (alpha_t^2 + sigma_t^2) | that, and a gradient through the restorer |
| moments | C L^T (L C L^T + noise^2)^-1 r | that, and several of them |
| dps | C L^T r (r^T s) / (s^T s + noise^2 r^T s), s = L C L^T r, L = dA/dx at x0_hat | any operator, and one gradient |

ddnm: Wang et al. 2022, arXiv 2212.00490, eq. 13 and 17. diffpir: Zhu et al. 2023, arXiv 2305.08995, eq. 12. pigdm: Song et al.
2023, "Pseudoinverse-guided diffusion models", eq. 7. moments: Rozet et al. 2024, arXiv 2405.13712, eq. 17. dps: the gradient of
Chung et al. 2022, arXiv 2209.14687, eq. 16, its length that of least squares in place of a constant.
diffpir, of an operator that is not linear, is taken in rounds, L each time the derivative where the last one led.
Images are in [-1, 1], and so is the unit of noise. Below alpha_t = .001, where x_t tells nothing, estimates stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from degrade.lazy import torch
from degrade.protocols import Degradation, Gaussian
from degrade.severity import on_host, per_sample
from samplers.guides.measurement import ENOUGH, conjugate_gradients, dot, least_squares

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from samplers.guides.measurement import Measurement

Method = Literal["ddnm", "diffpir", "pigdm", "moments", "dps"]
"""How samples are held to a measurement; ddnm, pigdm and moments are for linear operators."""
RATIO = 1.0
"""Of diffpir: how much the prior counts (published, as lambda: 3 to 25; at 1 digits come out 2 to 3 dB better)."""
ROUNDS = 3
"""Of moments: products with the covariance, each a gradient through the restorer."""
ANY = ("diffpir", "dps")
"""Methods for operators of any kind."""
LEAST_SQUARES = ("ddnm", "diffpir", "pigdm")
"""Methods that take the operator's decomposition, where it has one."""
LEAST = 1e-3
"""alpha_t, below which nothing is guided."""


def likelihood(
    restore: Restore,
    measurement: Measurement,
    degradation: Degradation,
    method: Method,
    *,
    rounds: int = ROUNDS,
    ratio: float = RATIO,
) -> Restore:
    """`restore` of `degradation`, Gaussian noise, with its estimates brought to `measurement` by `method`.

    rounds: of moments. ratio: of diffpir. Raises ValueError for another degradation, for a method that there is not, and for a
    linear method with an operator that is not. All that has to be known of the operator is tried here, so that no step of a
    walk waits for a GPU.
    """
    if not isinstance(degradation, Gaussian):
        raise ValueError(
            f"a measurement guides restorers of Gaussian noise, this one undoes {type(degradation).__name__}: take a run of "
            "noise, or a photograph."
        )
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, got {method!r}.")
    if rounds < 1 or not 0 < ratio < float("inf"):
        raise ValueError(f"rounds is at least 1 and ratio above 0, got {rounds} and {ratio}.")
    if method not in ANY and not measurement.linear:
        raise ValueError(f"{method} is for linear operators, and this one is not: take one of {', '.join(ANY)}.")
    if method in ANY:
        measurement.check_gradient()
    if method in LEAST_SQUARES and measurement.linear:
        _ = measurement.decomposition
    settings = _Settings(rounds, ratio)

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = degradation.coefficients(t)
        seen = alpha if t.device.type == "cpu" else degradation.coefficients(on_host(t))[0]
        if float(seen.min()) < LEAST:
            return restore(x_t, t)
        return finite(METHODS[method](restore, measurement, x_t, t, alpha, sigma, settings).to(x_t.dtype), method)

    return guided


def finite(x: Tensor, method: Method) -> Tensor:
    """x; ValueError where it is not finite. A GPU is not asked while it walks: its x is NaN there, and stays so to the end."""
    if x.device.type != "cpu":
        return x.where(x.isfinite(), torch.nan)
    if not bool(x.isfinite().all()):
        raise ValueError(f"{method} leaves what numbers can hold here: take another method, or more noise.")
    return x


class _Settings(NamedTuple):
    rounds: int
    ratio: float


def _ddnm(
    restore: Restore, measurement: Measurement, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor, settings: _Settings
) -> Tensor:
    x0 = restore(x_t, t)
    share = (sigma / alpha / measurement.noise).clamp(max=1) if measurement.noise else torch.ones_like(alpha)
    return x0 + per_sample(share, x0) * measurement.least_squares(measurement.residual(x0))


def _diffpir(
    restore: Restore, measurement: Measurement, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor, settings: _Settings
) -> Tensor:
    x0 = restore(x_t, t)
    noise = max(measurement.noise, QUIET if measurement.linear else BENT)
    damping = settings.ratio * (noise * alpha / sigma).square()
    if measurement.linear:
        return x0 + measurement.least_squares(measurement.residual(x0), damping, NEARLY if measurement.noise else ENOUGH)
    return _linearised(measurement, x0, damping)


def _linearised(measurement: Measurement, x0: Tensor, damping: Tensor) -> Tensor:
    """The x near x0 that lowers ||y - A(x)||^2 + damping ||x - x0||^2: Gauss and Newton's steps, halved until they do."""

    def value(x: Tensor) -> Tensor:
        r, d = measurement.residual(x), x - x0
        return dot(r, r) + damping * dot(d, d)

    x, lowest = x0, value(x0)
    for _ in range(LINEARISED):
        forward, adjoint = measurement.near(x)
        r = measurement.residual(x) - forward(x0 - x)
        step = x0 + least_squares(forward, adjoint, r, damping, FEW) - x
        for _ in range(HALVINGS):
            further = x + step
            found = value(further)
            lower = per_sample((found < lowest).to(x), x) > 0
            x, lowest, step = torch.where(lower, further, x), torch.minimum(found, lowest), torch.where(lower, 0, step / 2)
    return x


def _pigdm(
    restore: Restore, measurement: Measurement, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor, settings: _Settings
) -> Tensor:
    x0, covariance = _with_covariance(restore, x_t, t, alpha, sigma)
    variance = sigma.square() / (alpha.square() + sigma.square())
    d = measurement.least_squares(measurement.residual(x0), max(measurement.noise, FAINT) ** 2 / variance)
    return x0 + covariance(d / per_sample(variance, d))


def _moments(
    restore: Restore, measurement: Measurement, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor, settings: _Settings
) -> Tensor:
    x0, covariance = _with_covariance(restore, x_t, t, alpha, sigma)

    def apply(u: Tensor) -> Tensor:
        return measurement.forward(covariance(measurement.adjoint(u))) + max(measurement.noise, FAINT) ** 2 * u

    u = conjugate_gradients(apply, measurement.residual(x0), settings.rounds)
    return x0 + covariance(measurement.adjoint(u))


def _dps(
    restore: Restore, measurement: Measurement, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor, settings: _Settings
) -> Tensor:
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        x0 = restore(x, t)
        r = measurement.residual(x0)
        (g,) = torch.autograd.grad(r, x, -r.detach())  # J^T A'^T r
    x0, r, g = x0.detach(), r.detach(), g * per_sample(sigma.square() / alpha, x_t)
    largest = g.flatten(1).abs().amax(1).clamp(min=1e-30)
    small = per_sample(SMALL / largest, g) * g  # so that A is nearly linear between x0 and x0 + small
    change = (measurement.operator(x0 + small) - measurement.operator(x0)).flatten(1) * (largest / SMALL)[:, None]
    flat = r.flatten(1)
    along = (flat * change).sum(1).clamp(min=0)
    step = along / (change.square().sum(1) + measurement.noise**2 * along).clamp(min=1e-30)
    return x0 + per_sample(step, g) * g


QUIET = 1e-3
"""The least noise that diffpir assumes: with none, nothing would hold an operator that is nearly singular."""
FAINT = 0.01
"""The same of pigdm and moments, whose covariance is that of a restorer which is a mean only nearly."""
BENT = 0.03
"""The same of an operator that is not linear, whose derivative says less the further it goes."""
NEARLY = 1e-2
"""Of diffpir, where there is noise: what the gradient has to fall to of what it was; prior and measurement are a compromise."""
SMALL = 0.05
"""The largest change of a pixel in the trial step that tells how long dps' step is."""
LINEARISED, FEW, HALVINGS = 3, 20, 4
"""Of diffpir, where an operator is not linear: rounds, conjugate gradients in each, and lengths that are tried."""
METHODS: dict[str, Callable[..., Tensor]] = {
    "ddnm": _ddnm,
    "diffpir": _diffpir,
    "pigdm": _pigdm,
    "moments": _moments,
    "dps": _dps,
}


def _with_covariance(
    restore: Restore, x_t: Tensor, t: Tensor, alpha: Tensor, sigma: Tensor
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """x0_hat, and v -> C v by the vector-Jacobian product: C is symmetric where the restorer is a mean given x_t."""
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        x0 = restore(x, t)
    scale = per_sample(sigma.square() / alpha, x_t)

    def covariance(v: Tensor) -> Tensor:
        return scale * torch.autograd.grad(x0, x, v.to(x0), retain_graph=True)[0]

    return x0.detach(), covariance
