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


def same_tree(a: tuple, b: tuple) -> bool:
    """Whether latent `a` is of the kind of `b`: of the same types, or unnamed, and with the same parts."""
    if len(a) != len(b) or type(a) not in (type(b), tuple):
        return False
    parts = zip(a, b, strict=True)
    return all(same_tree(x, y) if isinstance(x, tuple) and isinstance(y, tuple) else type(x) is type(y) for x, y in parts)


def tree_name(latent: tuple) -> str:
    """What a latent holds, in words: "Hole(yx, fill)"; of a chain "(Flakes(noise, vertical), NoLatent())"."""
    if hasattr(latent, "_fields"):
        return f"{type(latent).__name__}({', '.join(latent._fields)})"
    return f"({', '.join(tree_name(z) if isinstance(z, tuple) else type(z).__name__ for z in latent)})"
