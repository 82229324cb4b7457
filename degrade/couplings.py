"""Couplings: how the latent of a training image, noise or another image, is drawn for it.

(x0, z) ~ q(x0, z)        x_t = D(x0, t, z)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from degrade.image_mixing import Other
from degrade.lazy import torch
from degrade.protocols import Degradation, Gaussian, Mixing

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


@dataclass(frozen=True)
class Paired(Independent):
    """As Independent, of a source that pairs its images with others: one that does not is refused before training."""

    pairs: ClassVar[bool] = True


@dataclass(frozen=True)
class OptimalTransport:
    """Noise goes to the image of the batch that it is near: the pairs of least total squared distance, each used once.

    Paths x_t cross less, so that fewer steps follow them (Pooladian et al. 2023, arXiv 2304.14772; Tong et al. 2023,
    arXiv 2302.00482). Where images have classes, each class keeps its noise: else what noise is like would depend on the class,
    which it does not when one is asked for (Cheng & Schwing 2025, arXiv 2503.10636). Of several processes each pairs its own
    share of a batch: what is learned depends on their number. The assignment is found on the CPU, for which a GPU is waited
    for, once for each class. Needs scipy (extra `demo`).
    """

    def couple(self, batch: Pairs, degradation: Degradation, generator: Random = None) -> Any:
        """Raises ValueError for degradations whose latent is not one noise for each pixel, and where scipy is missing."""
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError:
            raise ValueError('optimal transport needs scipy: python -m pip install -c constraints.txt -e ".[demo]"') from None
        latent = degradation.draw(batch.x0, generator)
        if not isinstance(degradation, Gaussian):
            raise ValueError(
                f"optimal transport pairs images with Gaussian noise; {type(degradation).__name__} has another latent. "
                "Use the coupling Independent."
            )
        (noise,) = latent
        chosen = torch.arange(len(noise))
        label = getattr(getattr(batch, "condition", None), "label", None)
        label = torch.zeros(len(noise)) if label is None else label.cpu()
        for same in [(label == value).nonzero()[:, 0] for value in label.unique()]:
            images, noises = (x[same.to(x.device)].flatten(1).double() for x in (batch.x0, noise))
            _, order = linear_sum_assignment(torch.cdist(images, noises).square().cpu().numpy())
            chosen[same] = same[torch.from_numpy(order)]
        return type(latent)(noise[chosen.to(noise.device)])


COUPLINGS = (Independent, Paired, OptimalTransport)
"""The couplings that a checkpoint may name."""


def partners(degradation: Degradation) -> int:
    """How many other images `degradation` mixes into one, a chain's all counted."""
    return degradation.partners if isinstance(degradation, Mixing) else 0


def _with_partners(latent: tuple, images: Iterator[Tensor]) -> Any:
    if isinstance(latent, Other):
        return Other(next(images))
    parts = [_with_partners(z, images) if isinstance(z, tuple) else z for z in latent]
    return type(latent)(*parts) if hasattr(latent, "_fields") else tuple(parts)
