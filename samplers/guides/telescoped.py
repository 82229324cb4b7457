"""Guidance by conditions: classifier-free, by one condition or by several, each with its own weight."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import on_host, per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def telescoped(
    base: Restore,
    *terms: tuple[float, Restore],
    until: float = 0.0,
    since: float = 1.0,
    rescale: float = 0.0,
    triple: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] | None = None,
) -> Restore:
    """R_0 + w_1 (R_1 - R_0) + w_2 (R_2 - R_1) + ...: what each further condition changes, more strongly.

    `base` is R_0, `terms` are (w_1, R_1), (w_2, R_2), ..., each conditional on more than the one before. With one term it is
    classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598, eq. 6), with two that of InstructPix2Pix, by a picture and
    by words (Brooks et al. 2022, arXiv 2211.09800, eq. 3). The coefficients sum to 1, so it is the same for estimates of x0, of
    the noise and of v. A restorer whose coefficient is 0 is not asked: at weights of 1 this is the last one, R_K. So it is at
    severities outside of (until, since]: guidance of high severities narrows the variety, of low ones does nothing
    (Kynkaanniemi et al. 2024, arXiv 2404.07724).

    `rescale`: the share by which the guided output o of a network gets the deviation of the conditional one, o_K (Lin et al.
    2023, arXiv 2305.08891, eqs. 15 and 16; .7 there), against colours that are too strong:

        o (rescale std(o_K)/std(o) + 1 - rescale),    x0_hat = c_skip x_t + c_out o

    with the (c_skip, c_out, c_in) of t that `triple` gives; without it, x0_hat itself is rescaled.
    """
    weights = [1.0, *(weight for weight, _ in terms), 0.0]
    *others, (share, last) = zip(
        (a - b for a, b in itertools.pairwise(weights)), (base, *(restore for _, restore in terms)), strict=True
    )
    asked = [(coefficient, restore) for coefficient, restore in others if coefficient != 0]
    if not asked:
        return last

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        conditional = last(x_t, t)
        seen = on_host(t)
        if not bool(((seen > until) & (seen <= since)).any()):
            return conditional
        within = (t > until) & (t <= since)
        x0 = share * conditional
        for coefficient, restore in asked:
            x0 = x0 + coefficient * restore(x_t, t)
        if rescale:
            x0 = _rescaled(x0, conditional, x_t, rescale, triple(t) if triple else None)
        return torch.where(per_sample(within, x0) > 0, x0, conditional)

    return guided


def _rescaled(
    x0: Tensor, conditional: Tensor, x_t: Tensor, rescale: float, triple: tuple[Tensor, Tensor, Tensor] | None
) -> Tensor:
    c_skip, c_out = (per_sample(c, x_t) for c in triple[:2]) if triple else (0.0, 1.0)
    rest = c_skip * x_t
    found, wanted = (((x - rest) / c_out).flatten(1).std(1) for x in (x0, conditional))
    factor = rescale * wanted / found.clamp(min=1e-12) + (1 - rescale)
    return rest + per_sample(factor, x0) * (x0 - rest)
