"""What the network predicts, as one triple of coefficients.

    x0_hat = c_skip x_t + c_out net(c_in x_t, t)        training target = (x0 - c_skip x_t) / c_out

x0, residual and detail serve every degradation; eps, v and velocity need an affine one, x_t = alpha x0 + sigma z; missing
one that can be read off x_t and undone in part, whose triple is that of residual with the undone picture in place of x_t.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from degrade.lazy import torch
from degrade.protocols import Affine, Degradation, Legible
from degrade.severity import wide

Prediction = Literal["x0", "residual", "missing", "detail", "eps", "v", "velocity"]

DETAIL = 1 / 8
"""By how much an image differs from the picture that is told of it, about: photographs from a quarter of the side by .1."""

if TYPE_CHECKING:
    from torch import Tensor

    Triple = tuple[Tensor, Tensor, Tensor]
    Parametrisation = Callable[[Tensor], Triple]  # t (B,) -> (c_skip, c_out, c_in), each (B,) in float64


def parametrisation(prediction: Prediction, degradation: Degradation) -> Parametrisation:
    """The triple of `prediction` under `degradation`.

    | prediction | c_skip | c_out | the network's output is |
    | --- | --- | --- | --- |
    | x0 | 0 | 1 | the clean image |
    | residual | 1 | 1 | x0 - x_t |
    | missing | 1 | 1 | x0 - u where x_t does not tell x0; u is x_t undone elsewhere, and filled smoothly there |
    | detail | 0 | 1/8 | (x0 - c)/c_out, c the picture that it is conditioned on, which is added: x0_hat = c + c_out net |
    | eps | 1/alpha | -sigma/alpha | z (Ho et al. 2020, arXiv 2006.11239, eq. 9) |
    | v | alpha/n | -sigma/n | alpha z - sigma x0, n = alpha^2 + sigma^2 (Salimans & Ho 2022, arXiv 2202.00512, app. D) |
    | velocity | sigma'/m | -sigma/m | dx_t/dt = alpha' x0 + sigma' z, m = alpha sigma' - alpha' sigma |

    velocity is flow matching's (Lipman et al. 2022, arXiv 2210.02747, theorem 3), and z - x0 under RectifiedFlow (Liu et al.
    2022, arXiv 2209.03003, eq. 1). eps, v and velocity are for t > 0. Raises ValueError where the degradation does not allow
    the prediction.
    """
    if prediction == "x0":
        return lambda t: (torch.zeros_like(wide(t)), torch.ones_like(wide(t)), torch.ones_like(wide(t)))
    if prediction == "residual":
        return lambda t: (torch.ones_like(wide(t)), torch.ones_like(wide(t)), torch.ones_like(wide(t)))
    if prediction == "missing":
        if not isinstance(degradation, Legible):
            raise ValueError(
                "missing prediction needs a degradation that can be read off a picture and undone in part (read, undo); "
                f"{type(degradation).__name__} is not. Use prediction='residual'."
            )
        return parametrisation("residual", degradation)
    if prediction == "detail":
        return lambda t: (torch.zeros_like(wide(t)), torch.full_like(wide(t), DETAIL), torch.ones_like(wide(t)))
    if prediction not in ("eps", "v", "velocity"):
        raise ValueError(f"prediction is one of {', '.join(map(repr, get_args(Prediction)))}, got {prediction!r}.")
    if not isinstance(degradation, Affine):
        raise ValueError(
            f"{prediction} prediction needs an affine degradation; {type(degradation).__name__} is not. Use prediction='x0'."
        )
    affine = degradation
    if prediction == "v":

        def v(t: Tensor) -> Triple:
            alpha, sigma = affine.coefficients(t)
            norm = alpha.square() + sigma.square()
            return alpha / norm, -sigma / norm, torch.ones_like(alpha)

        return v
    if prediction == "velocity":

        def velocity(t: Tensor) -> Triple:
            (alpha, sigma), (alpha_slope, sigma_slope) = affine.coefficients(t), affine.derivatives(t)
            norm = alpha * sigma_slope - alpha_slope * sigma
            return sigma_slope / norm, -sigma / norm, torch.ones_like(alpha)

        return velocity
    if not float(affine.coefficients(torch.ones(1))[0]) > 0:
        raise ValueError(
            f"eps prediction divides by alpha, which is 0 at t = 1 in {degradation}. "
            "Use prediction='v', or a schedule that keeps a little signal (LinearBeta, CosineBeta)."
        )

    def eps(t: Tensor) -> Triple:
        alpha, sigma = affine.coefficients(t)
        return 1 / alpha, -sigma / alpha, torch.ones_like(alpha)

    return eps
