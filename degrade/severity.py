"""Small helpers around the severity t: its precision, its broadcasting, and its place on a grid of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from degrade.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

T = TypeVar("T")


def wide_dtype(device: torch.device) -> torch.dtype:
    """float64, or float32 on devices without it: what coefficients are computed in, to be cast last."""
    return torch.float32 if device.type == "mps" else torch.float64


def level(value: float, batch: int, device: torch.device) -> Tensor:
    """t (batch,), all of it `value`, in the wide dtype of `device`: `on_host` finds it without a look at the device, and what
    is computed of it `once` stays with it."""
    t = torch.full((batch,), value, device=device, dtype=wide_dtype(device))
    t.value, t.known = value, {}  # type: ignore[attr-defined]
    return t


def once(coefficients: Callable[[Tensor], T], t: Tensor) -> T:
    """coefficients(t), which is computed once for a `level`: a walk asks for those of a time from several places."""
    known = getattr(t, "known", None)
    if known is None:
        return coefficients(t)
    if coefficients not in known:
        known[coefficients] = coefficients(t)
    return known[coefficients]


def on_host(t: Tensor) -> Tensor:
    """t (B,), or (1,) the one value of a `level`, where the host may look at it. A GPU is waited for unless `level` made t."""
    value = getattr(t, "value", None)
    return t.cpu() if value is None else torch.tensor([value], dtype=torch.float64)


def middle(t: Tensor, s: Tensor) -> Tensor:
    """(t + s)/2, a level where both are."""
    values = getattr(t, "value", None), getattr(s, "value", None)
    return (t + s) / 2 if None in values else level(sum(values) / 2, len(t), t.device)  # type: ignore[arg-type]


def wide(t: Tensor) -> Tensor:
    """t in the wide dtype of its device."""
    return t.to(wide_dtype(t.device))


def per_sample(value: Tensor, x: Tensor) -> Tensor:
    """`value` (B,) in the dtype of x and shaped (B, 1, ..., 1), to multiply x (B, ...)."""
    return value.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def on_grid(t: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The place of t on the grid 0, 1/steps, ..., 1 as (index below, int64; fraction towards the next in [0, 1)).

    Float32 rounding of t, 2^-24 of it, is undone: t = k/steps has the place (k, 0) exactly, so a discrete schedule is exact
    on its own grid. Only t = 0 has the place (0, 0): however small a severity is, it is one.
    """
    place = wide(t) * steps
    nearest = place.round()
    place = torch.where((place - nearest).abs() <= nearest * 2.0**-23, nearest, place).clamp(0, steps)
    index = place.floor()
    return index.long(), place - index
