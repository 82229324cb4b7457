"""The seams of the toolkit: what a degradation is, what can be asked of some, and the state of a walk back.

    D(x0, t, z) -> x_t        t in [0, 1],  D(x0, 0, z) = x0

`t` is the severity (0 clean, 1 fully degraded), `z` the degradation's own randomness, its *latent*.
Shapes: images (B, C, *space) in [-1, 1], space (H, W), or (T, H, W) for videos; severities (B,); latents are NamedTuples of
tensors with leading dimension B (see `degrade.tree`). The seams know no rank; an operator that acts on images only says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random
    from degrade.schedules import Schedule

    Restore = Callable[[Tensor, Tensor], Tensor]  # (x_t (B, C, *space), t (B,)) -> x0_hat (B, C, *space)

L = TypeVar("L", bound=tuple)


class State(NamedTuple):
    """A point of a walk back: a degraded image, and the latent it was degraded with."""

    x: Tensor
    latent: tuple[Tensor, ...]


@runtime_checkable
class Prior(Protocol):
    """A distribution over x at t = 1, from which images are generated rather than restored."""

    def sample(self, shape: tuple[int, ...], generator: Random = None) -> State:
        """A start of `shape` (B, C, *space) on the CPU."""
        ...


@runtime_checkable
class Degradation(Protocol[L]):
    """A pure function of severity: a frozen dataclass of plain numbers, without module, buffers or state."""

    def draw(self, x0: Tensor, generator: Random = None) -> L:
        """A latent for each sample of x0 (B, C, *space); an empty NamedTuple for a deterministic degradation."""
        ...

    def __call__(self, x0: Tensor, t: Tensor, latent: L) -> Tensor:
        """x_t, of the shape of x0 (B, C, *space): differentiable in x0, at a cost that does not depend on t (B,)."""
        ...

    def prior(self, images: Tensor) -> Prior:
        """The distribution of x at t = 1, fitted to clean training images (N, C, *space) where it depends on them."""
        ...


@runtime_checkable
class Covering(Degradation[L], Protocol[L]):
    """A degradation that covers part of an image."""

    def cover(self, x: Tensor, mask: Tensor) -> tuple[Tensor, L]:
        """x (B, C, H, W) with what covers images in training wherever `mask` (1 or B, 1, H, W) is 1, and the latent nearest to
        that mask."""
        ...


@runtime_checkable
class Estimable(Degradation[L], Protocol[L]):
    """A degradation whose latent can be read off x_t and an estimate of x0."""

    def estimate(self, x_t: Tensor, x0: Tensor, t: Tensor) -> L:
        """The latent with D(x0, t, latent) == x_t, for t > 0."""
        ...


@runtime_checkable
class Legible(Degradation[L], Protocol[L]):
    """A degradation whose latent can be read off x_t alone, and which leaves parts of x0 that can be had back exactly."""

    def read(self, x_t: Tensor, t: Tensor) -> L:
        """The likeliest latent of x_t (B, C, *space) at t (B,)."""
        ...

    def undo(self, x_t: Tensor, t: Tensor, latent: L) -> tuple[Tensor, Tensor]:
        """x0 (B, C, *space) where x_t tells it, finite elsewhere; and a mask (B, 1, *space): 1 where it does, 0 elsewhere."""
        ...


@runtime_checkable
class Affine(Estimable[L], Protocol[L]):
    """x_t = alpha(t) x0 + sigma(t) z, z of the shape of x0: noise and mixing."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma (B,), in float64."""
        ...

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """d alpha/dt and d sigma/dt (B,), in float64, for t > 0."""
        ...


@runtime_checkable
class Scheduled(Protocol):
    """What takes its alpha and sigma from a schedule, and so has a log-SNR with an inverse."""

    @property
    def schedule(self) -> Schedule: ...


@runtime_checkable
class Markov(Degradation[L], Protocol[L]):
    """x_t is a Markov chain in t whose step back is Gaussian where x0 is known: noise, and bridges."""

    def posterior(self, x_t: Tensor, x0: Tensor, t: Tensor, s: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
        """Mean, of the shape of x0, and std (B,), in float64, of q(x_s | x_t, x0) for t > s, with a share `eta` of its std."""
        ...


@runtime_checkable
class Gaussian(Affine[L], Markov[L], Protocol[L]):
    """An affine degradation with z standard normal: all conditionals of x_t are Gaussian.

    Every eta in [0, 1] of `posterior` gives x_s the distribution q(x_s | x0) (DDIM, arXiv 2010.02502, eq. 7).
    """

    def transition(self, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """scale and std (B,), in float64, of q(x_t | x_s) = N(scale x_s, std^2), for t > s."""
        ...


@runtime_checkable
class Mixing(Degradation[L], Protocol[L]):
    """A degradation that mixes other images into x0."""

    @property
    def partners(self) -> int:
        """How many other images its latent holds for each sample."""
        ...
