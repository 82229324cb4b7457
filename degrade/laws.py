"""The laws that every degradation obeys, as checks to run on your own.

    from degrade.laws import check_laws
    check_laws(Darken())

Each law is a function (operator, x0) that raises LawError in one line; `LAWS` lists them, and the project's own operators are
held to the same list.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.protocols import Degradation, Estimable, Legible
from degrade.random import seeded
from degrade.tree import tree_leaves, tree_map

if TYPE_CHECKING:
    from torch import Tensor


class LawError(AssertionError):
    """A law that an operator breaks."""


def check_laws(operator: Degradation, channels: int = 3) -> None:
    """Holds `operator` to every law, on random images of several sizes. Raises LawError that names the law broken."""
    for seed, (height, width) in enumerate([(11, 14), (1, 1), (1, 9), (32, 7)]):
        x0 = torch.rand(4, channels, height, width, generator=seeded(seed)) * 2 - 1
        for law in LAWS:
            law(operator, x0)


def _require(condition: bool, operator: Degradation, law: str, found: str = "") -> None:
    if not condition:
        raise LawError(f"{operator} breaks a law: {law}{f'; {found}' if found else ''}.")


def _severities(x0: Tensor) -> Tensor:
    return torch.linspace(0, 1, len(x0)) if len(x0) > 1 else torch.full((1,), 0.6)


def _equal(a: tuple, b: tuple) -> bool:
    pairs = list(zip(tree_leaves(a), tree_leaves(b), strict=True))
    return all(torch.equal(x, y) for x, y in pairs)


def clean_at_zero(operator: Degradation, x0: Tensor) -> None:
    """D(x0, 0, z) = x0, bit for bit."""
    x = operator(x0, torch.zeros(len(x0)), operator.draw(x0, seeded(0)))
    _require(torch.equal(x, x0), operator, "D(x0, 0, z) = x0 bit for bit")


def sets_in_gently(operator: Degradation, x0: Tensor) -> None:
    """|D(x0, t, z) - x0| < .02 at t = 1e-7: no jump at 0 (a standard deviation may grow like the root of t)."""
    x = operator(x0, torch.full((len(x0),), 1e-7), operator.draw(x0, seeded(0)))
    change = float((x - x0).abs().max())
    _require(change < 2e-2, operator, "no jump at t = 0", f"t = 1e-7 changes a pixel by {change:.3g}")


def keeps_shape(operator: Degradation, x0: Tensor) -> None:
    """x_t is finite, of the shape and dtype of x0."""
    x = operator(x0, _severities(x0), operator.draw(x0, seeded(1)))
    _require(x.shape == x0.shape, operator, "x_t has the shape of x0", f"{tuple(x.shape)} for {tuple(x0.shape)}")
    _require(x.dtype == x0.dtype, operator, "x_t has the dtype of x0", f"{x.dtype} for {x0.dtype}")
    _require(bool(x.isfinite().all()), operator, "x_t is finite")


def samples_are_separate(operator: Degradation, x0: Tensor) -> None:
    """A batch of mixed severities equals a loop over its samples, within 1e-6."""
    t, latent = _severities(x0), operator.draw(x0, seeded(1))
    together = operator(x0, t, latent)
    for i in range(len(x0)):
        one = slice(i, i + 1)
        alone = operator(x0[one], t[one], tree_map(lambda z, one=one: z[one], latent))  # type: ignore[misc]
        error = float((together[one] - alone).abs().max())
        _require(error < 1e-6, operator, "a batch of mixed severities equals a loop", f"sample {i} differs by {error:.3g}")


def is_differentiable(operator: Degradation, x0: Tensor) -> None:
    """The gradient in x0 is that of finite differences, in float64 (torch.autograd.gradcheck)."""
    x = x0[:2, ..., :5, :7].double().mul(0.9).requires_grad_()
    t = torch.tensor([0.31, 0.9], dtype=torch.float64)[: len(x)]
    latent = operator.draw(x.detach(), seeded(3))
    right = torch.autograd.gradcheck(lambda x: operator(x, t, latent), (x,), raise_exception=False)
    _require(right, operator, "differentiable in x0 (gradcheck)")


def leaves_its_inputs(operator: Degradation, x0: Tensor) -> None:
    """x0, t and the latent are not changed."""
    t, latent = _severities(x0), operator.draw(x0, seeded(4))
    before = copy.deepcopy((x0, t, latent))
    operator(x0, t, latent)
    _require(_equal(before, (x0, t, latent)), operator, "its inputs are not changed")


def draws_repeat(operator: Degradation, x0: Tensor) -> None:
    """Equal generators give equal latents."""
    first, again = (operator.draw(x0, seeded(5)) for _ in range(2))
    _require(_equal(first, again), operator, "a draw depends on its generator alone")


def estimates_reproduce(operator: Degradation, x0: Tensor) -> None:
    """D(x0', t, estimate(x_t, x0', t)) = x_t, for the right x0' and for a wrong one, where the latent can be estimated."""
    if not isinstance(operator, Estimable):
        return
    t = torch.linspace(0.02, 1, len(x0))
    x_t = operator(x0, t, operator.draw(x0, seeded(6)))
    for guess in (x0, x0.flip(0)):
        error = float((operator(guess, t, operator.estimate(x_t, guess, t)) - x_t).abs().max())
        _require(error < 1e-5, operator, "D(x0, t, estimate(x_t, x0, t)) = x_t", f"off by {error:.3g}")


def undoes_what_it_says(operator: Degradation, x0: Tensor) -> None:
    """undo(x_t, t, z) is x0 where it says so, in a mask of zeros and ones, and finite; read(x_t, t) serves it as z does."""
    if not isinstance(operator, Legible):
        return
    t, latent = _severities(x0), operator.draw(x0, seeded(7))
    x_t = operator(x0, t, latent)
    for z in (latent, operator.read(x_t, t)):
        undone, known = operator.undo(x_t, t, z)
        one = known.shape == (len(x0), 1, *x0.shape[2:]) and bool(((known == 0) | (known == 1)).all())
        _require(one, operator, "undo gives a mask (B, 1, *space) of zeros and ones", f"{tuple(known.shape)}")
        _require(bool(undone.isfinite().all()) and undone.shape == x0.shape, operator, "what is undone is finite")
    undone, known = operator.undo(x_t, t, latent)
    error = float((known * (undone - x0)).abs().max())
    _require(error < 1e-4, operator, "undo gives x0 where it says so", f"off by {error:.3g}")


def has_no_state(operator: Degradation, x0: Tensor) -> None:
    """A copy is equal, and has the same hash: plain numbers only."""
    again = copy.deepcopy(operator)
    _require(operator == again and hash(operator) == hash(again), operator, "equal and hashable (a frozen dataclass)")


def has_a_prior(operator: Degradation, x0: Tensor) -> None:
    """prior(images) gives starts of any size, from which the operator can go on; a sample depends on its own seed only."""
    shape = (2, x0.shape[1], 20, 9)
    prior = operator.prior(x0)
    start = prior.sample(shape, [seeded(0), seeded(1)])
    _require(start.x.shape == shape and bool(start.x.isfinite().all()), operator, "its prior gives finite images of any size")
    alone = prior.sample((1, *shape[1:]), [seeded(1)])
    _require(bool((alone.x[0] - start.x[1]).abs().max() < 1e-6), operator, "a sample of its prior depends on its own seed only")
    again = operator(start.x, torch.full((2,), 0.5), start.latent)
    _require(again.shape == shape, operator, "its prior's latent serves the prior's image")


LAWS = (
    leaves_its_inputs,
    keeps_shape,
    clean_at_zero,
    sets_in_gently,
    samples_are_separate,
    is_differentiable,
    draws_repeat,
    estimates_reproduce,
    undoes_what_it_says,
    has_no_state,
    has_a_prior,
)
