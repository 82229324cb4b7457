"""Latents as trees: a NamedTuple of tensors (B, ...), or, for a composition, a tuple of its stages' latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class NoLatent(NamedTuple):
    """The latent of a deterministic degradation."""


def tree_leaves(latent: tuple) -> Iterator[Tensor]:
    """Every tensor of `latent`, in order."""
    for z in latent:
        if isinstance(z, tuple):
            yield from tree_leaves(z)
        else:
            yield z


def tree_map(change: Callable[[Tensor], Tensor], latent: tuple) -> Any:
    """`latent` with `change` applied to every tensor: moved to a device, cut to a few samples of the batch."""
    values = [tree_map(change, z) if isinstance(z, tuple) else change(z) for z in latent]
    return type(latent)(*values) if hasattr(latent, "_fields") else tuple(values)
