"""The walk the other way: from a clean image to the noise that it would be made from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.protocols import Affine, Degradation, State
from degrade.severity import level, per_sample
from samplers.driver import Step

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def invert(
    restore: Restore,
    degradation: Degradation,
    x: Tensor,
    times: Tensor,
    iterations: int = 0,
    on_step: Callable[[Step], None] | None = None,
) -> State:
    """The x at times[-1] from which DDIM (eta = 0) comes back to `x` at times[0], and the latent there (DDIM inversion;
    Dhariwal & Nichol 2021, arXiv 2105.05233, appendix F; Mokady et al. 2022, arXiv 2211.09794, eq. 3).

        x_t = alpha_t (x_s - sigma_s z)/alpha_s + sigma_t z,    z = D.estimate(x_s, R(x_s, t), t),    for s < t

    `times` rise from at least 0. The restorer is asked at the level t that the step goes to. DDIM's step back asks it at x_t
    instead: each of `iterations` takes z from the x_t that the one before found, and where these settle, the step is DDIM's
    own, inverted exactly (Pan et al. 2023, arXiv 2309.04907). Serves affine degradations: noise and mixing. Guidance makes it
    inexact: invert without. `on_step` is told after each step, as by `sample`: t is the level before it, s the one after.
    Raises ValueError for other degradations, and for times that do not rise.
    """
    grid = [float(t) for t in times]
    if len(grid) < 2 or not all(0 <= s < t <= 1 for s, t in itertools.pairwise(grid)) or iterations < 0:
        raise ValueError(
            f"times of an inversion rise within [0, 1], with iterations of at least 0; got {grid[:3]}... and {iterations}."
        )
    if not isinstance(degradation, Affine):
        raise ValueError(f"inversion needs an affine degradation, noise or mixing; {type(degradation).__name__} is not.")
    z: tuple = ()
    with torch.no_grad():
        for number, (s, t) in enumerate(itertools.pairwise(grid), 1):
            before, after = level(s, len(x), x.device), level(t, len(x), x.device)
            (alpha_s, sigma_s), (alpha_t, sigma_t) = degradation.coefficients(before), degradation.coefficients(after)
            scale, found = alpha_t / alpha_s, x
            for _ in range(iterations + 1):
                x0 = restore(found, after)
                z = degradation.estimate(found, x0, after)
                found = per_sample(scale, x) * x + per_sample(sigma_t - scale * sigma_s, x) * z[0]
            x = found
            if on_step is not None:
                on_step(Step(number, len(grid) - 1, s, t, x0, x))
    return State(x, z)
