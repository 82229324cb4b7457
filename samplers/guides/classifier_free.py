"""Classifier-free guidance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import per_sample

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


def classifier_free(
    conditional: Restore, unconditional: Restore, weight: float, until: float = 0.0, since: float = 1.0
) -> Restore:
    """unconditional + weight (conditional - unconditional): what the condition changes, more strongly.

    Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598). At weight 1 it is `conditional`, and costs one call; so it
    is at severities outside of (until, since]: guidance of high severities narrows the variety, of low ones does nothing
    (Kynkaanniemi et al. 2024, arXiv 2404.07724).
    """
    if weight == 1:
        return conditional

    def guided(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = conditional(x_t, t)
        within = (t > until) & (t <= since)
        if not bool(within.any()):
            return x0
        return torch.where(per_sample(within, x0) > 0, torch.lerp(unconditional(x_t, t), x0, weight), x0)

    return guided
