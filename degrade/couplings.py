"""Couplings: how the latent of a training image, noise or another image, is drawn for it.

(x0, z) ~ q(x0, z)        x_t = D(x0, t, z)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from degrade.image_mixing import Other
from degrade.protocols import Degradation, Mixing

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


class Pairs(Protocol):
    """What a coupling reads of a batch."""

    @property
    def x0(self) -> Tensor:
        """Clean images (B, C, *space)."""
        ...

    @property
    def x1(self) -> tuple[Tensor, ...]:
        """Their partners (B, C, *space), one for each other image that the latent holds."""
        ...


@runtime_checkable
class Coupling(Protocol):
    """A frozen dataclass of plain numbers, as degradations are."""

    def couple(self, batch: Pairs, degradation: Degradation, generator: Random = None) -> tuple:
        """A latent of `degradation` for each image of the batch."""
        ...


@dataclass(frozen=True)
class Independent:
    """q(x0, z) = q(x0) q(z): the degradation's own draw, with the batch's partners wherever another image is mixed in."""

    def couple(self, batch: Pairs, degradation: Degradation, generator: Random = None) -> Any:
        """Raises ValueError where the batch holds fewer partners than are mixed in."""
        latent, wanted = degradation.draw(batch.x0, generator), partners(degradation)
        if len(batch.x1) < wanted:
            raise ValueError(
                f"{wanted} other image(s) are mixed into each, the batch holds {len(batch.x1)}: give as many in x1."
            )
        return _with_partners(latent, iter(batch.x1)) if wanted else latent


COUPLINGS = (Independent,)


def partners(degradation: Degradation) -> int:
    """How many other images `degradation` mixes into one, a chain's all counted."""
    return degradation.partners if isinstance(degradation, Mixing) else 0


def _with_partners(latent: tuple, images: Iterator[Tensor]) -> Any:
    if isinstance(latent, Other):
        return Other(next(images))
    parts = [_with_partners(z, images) if isinstance(z, tuple) else z for z in latent]
    return type(latent)(*parts) if hasattr(latent, "_fields") else tuple(parts)
