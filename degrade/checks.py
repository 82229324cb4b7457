"""What every operator asks of its arguments, in one clear line when they do not fit, and the precision that it computes in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from degrade.lazy import torch
from degrade.tree import same_tree, tree_leaves, tree_map, tree_name

if TYPE_CHECKING:
    from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def checked(call: F) -> F:
    """For an operator's `__call__`: its arguments are checked; images of 16 bits are degraded in float32 and rounded once."""

    @functools.wraps(call)
    def checked_call(self: Any, x0: Tensor, t: Tensor, latent: tuple | None = None) -> Tensor:
        given = () if latent is None else (latent,)  # else the operator's own default
        check(x0, t, *given)
        if x0.dtype.itemsize >= 4:
            return call(self, x0, t, *given)
        return call(self, x0.float(), t, *tree_map(lambda z: z.float(), given)).to(x0.dtype)

    return cast(F, checked_call)


def images_only(call: F) -> F:
    """For an operator's `__call__`, above `checked`: it acts along H and W of images, and has no meaning for other ranks."""

    @functools.wraps(call)
    def call_on_images(self: Any, x0: Tensor, t: Tensor, latent: tuple | None = None) -> Tensor:
        if x0.ndim != 4:
            raise ValueError(f"{type(self).__name__} takes images (B, C, H, W), got a tensor of shape {tuple(x0.shape)}.")
        return call(self, x0, t, latent)

    return cast(F, call_on_images)


def check(x0: Tensor, t: Tensor, latent: tuple = ()) -> None:
    """Raises ValueError unless x0 is (B, C, *space) with at least one axis of space, t (B,) in [0, 1], every tensor of the
    latent (B, ...), and x0 finite.

    Values are looked at on the CPU only: on a GPU that would wait for it, and in a compiled graph break it.
    """
    if x0.ndim < 3:
        raise ValueError(
            f"a degradation takes images (B, C, H, W), or videos (B, C, T, H, W), got a tensor of shape {tuple(x0.shape)}."
        )
    if t.shape != x0.shape[:1]:
        raise ValueError(f"{len(x0)} images need severities t of shape ({len(x0)},), got {tuple(t.shape)}.")
    for z in tree_leaves(latent):
        if len(z) != len(x0):
            raise ValueError(
                f"the latent was drawn for a batch of {len(z)}, the images are a batch of {len(x0)}: draw it for these images."
            )
    if x0.device.type != "cpu" or torch.compiler.is_compiling():
        return
    if not bool(((t >= 0) & (t <= 1)).all()):
        raise ValueError(f"a severity t lies in [0, 1], got {t.min():g} to {t.max():g}.")
    if not bool(x0.detach().sum(dtype=wide_sum(x0)).isfinite()):
        raise ValueError("the image holds NaN or infinite values: expected finite numbers, in [-1, 1] when clean.")


def check_latent(latent: object, own: tuple, name: str) -> None:
    """Raises ValueError unless `latent` is of the kind of `own`, which an operator of that name drew."""
    if not isinstance(latent, tuple):
        raise ValueError(f"a latent is what {name}.draw gives, not a {type(latent).__name__}.")
    if not same_tree(latent, own):
        raise ValueError(f"a latent of {name} is {tree_name(own)}, as its draw gives it, not {tree_name(latent)}.")


def bounded(settings: object, **bounds: tuple[float, float]) -> None:
    """Raises ValueError unless each setting, or all numbers of a tuple, lie within (lowest, highest).

    Bounds that nothing sensible meets: settings may come from a stranger's file.
    """
    for name, (lowest, highest) in bounds.items():
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not lowest <= number <= highest:
                raise ValueError(f"{name} of {type(settings).__name__} is {lowest:g} to {highest:g}, got {str(number)[:40]}.")


def wide_sum(x: Tensor) -> torch.dtype:
    """A dtype in which the sum of an image cannot overflow."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32
