"""Linear operators whose singular values a few trials tell, so that least squares are in closed form.

    L = U S V^H,        argmin_d ||r - L d||^2 + damping ||d||^2 = V conj(S) / (|S|^2 + damping) U^H r

S is a factor for each number of an image in some basis, as DDRM has it (Kawar et al. 2022, arXiv 2201.11793, section 3):

| basis | operators | products that tell S |
| --- | --- | --- |
| pixels | masks, holes, exposure | one, of white |
| waves | convolutions with circular borders | one, of a point |
| axes, L = L_C x L_H x L_W | mirrored blurs, reductions, loss of colour, and chains of these | C + H + W, B at a time |

What an operator is made of need not be known: a basis is taken if L is what it says of an image of noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.severity import per_sample, wide_dtype

if TYPE_CHECKING:
    from torch import Tensor

    Forward = Callable[[Tensor], Tensor]

ALIKE = 1e-5
"""Of the most that an operator makes of an image of noise, what a decomposition may differ by that is taken."""
MOST = 128
"""Products that may be spent on a decomposition: conjugate gradients do with about as many over a walk."""


class Basis(NamedTuple):
    """An orthonormal one, of images or of measurements."""

    coefficients: Forward
    """V^H x, of x (B, ...)."""
    combined: Forward
    """V c, of coefficients c."""


class Decomposition(NamedTuple):
    """L = U S V^H."""

    values: Tensor
    """S (B or 1, ...), in the shape of the coefficients; of a complex number the phase is U's."""
    measured: Basis
    """U."""
    image: Basis
    """V."""

    def forward(self, d: Tensor) -> Tensor:
        """L d."""
        return self.measured.combined(self.values * self.image.coefficients(d))

    def least_squares(self, r: Tensor, damping: Tensor) -> Tensor:
        """The d (B, C, *space) that lowers ||r - L d||^2 + damping ||d||^2, damping (B,); of several the smallest.

        Without damping, singular values count down to the root of what is rounded: so much does the rounding of r become.
        """
        power = self.values.abs().square()
        least = torch.finfo(r.dtype).eps * power.flatten(1).amax(1)
        counts = power > per_sample(torch.where(damping > 0, 0, least), power)
        gain = torch.where(counts, self.values.conj() / (power + per_sample(damping, power)).where(counts, 1), 0)
        return self.image.combined(gain * self.measured.coefficients(r))


def decomposition(forward: Forward, noise: Tensor) -> Decomposition | None:
    """Of v -> L v, linear, `noise` (B, C, *space) being images of noise; None where no basis is found."""
    seen = forward(noise)
    most = ALIKE * seen.flatten(1).abs().amax(1)
    for found in _candidates(forward, noise, seen):
        if bool(((found.forward(noise) - seen).flatten(1).abs().amax(1) <= most).all()):
            return found
    return None


def _candidates(forward: Forward, noise: Tensor, seen: Tensor) -> Iterator[Decomposition]:
    if seen.shape == noise.shape:
        yield pixels(forward, noise)
        yield waves(forward, noise)
    if seen.ndim == noise.ndim and (along := axes(forward, noise)):
        yield along


def pixels(forward: Forward, like: Tensor) -> Decomposition:
    """L d = S d."""
    same = Basis(lambda x: x, lambda c: c)
    return Decomposition(forward(torch.ones_like(like)), same, same)


def waves(forward: Forward, like: Tensor) -> Decomposition:
    """L d = F^-1 S F d, F the Fourier transform of each channel."""
    space, size = tuple(range(2, like.ndim)), like.shape[2:]
    point = torch.zeros_like(like)
    point.flatten(2)[..., 0] = 1  # a view
    fourier = Basis(
        lambda x: torch.fft.rfftn(x, dim=space, norm="ortho"), lambda c: torch.fft.irfftn(c, s=size, dim=space, norm="ortho")
    )
    return Decomposition(torch.fft.rfftn(forward(point), dim=space), fourier, fourier)


def axes(forward: Forward, like: Tensor) -> Decomposition | None:
    """L = L_1 x ... x L_n, a matrix along each axis of an image, the same for all images of the batch.

    L makes one product of vectors, one a channel, one a row, ..., of another; what it makes of those with a unit vector along
    axis k is column by column L_k. None where it does not, or where that takes more than MOST products.
    """
    batch, *sides = like.shape
    if math.ceil(sum(sides) / batch) > MOST:
        return None
    vectors = [1 + v for v in torch.rand(sum(sides), generator=torch.Generator().manual_seed(2)).to(like).split(sides)]
    seen = forward(_product(vectors).expand_as(like))
    first, sizes = seen[0], seen.shape[1:]
    place = [int(i) for i in torch.unravel_index(first.abs().argmax().cpu(), sizes)]
    top = first[tuple(place)]

    def line(x: Tensor, k: int) -> Tensor:
        """Of x (B, ...), what lies along axis k through `place`."""
        return x[(slice(None), *(slice(None) if i == k else p for i, p in enumerate(place)))]

    lines = [line(seen, k)[0] for k in range(len(sides))]
    expected = _product(lines) / top ** (len(sides) - 1)
    if not bool(((seen - expected).abs() <= ALIKE * top.abs()).all()):
        return None

    def matrix(k: int) -> Tensor:
        """L_k, but for a factor of all."""
        columns = []
        for units in torch.eye(sides[k]).to(like).split(batch):
            images = [_product([*vectors[:k], unit, *vectors[k + 1 :]]) for unit in units]
            columns.append(line(forward(torch.cat([*images, torch.zeros_like(like[len(units) :])])), k)[: len(units)])
        return torch.cat(columns).T.to(wide_dtype(like.device))

    parts = [matrix(k) / (top if k else 1) for k in range(len(sides))]
    found = [torch.linalg.svd(part, full_matrices=False) for part in parts]
    rounding = max(seen.shape[1:]) * torch.finfo(like.dtype).eps
    values = _product([s.where(s > rounding * s[0], 0).to(like) for _, s, _ in found])
    return Decomposition(values, _basis([u.to(like) for u, _, _ in found]), _basis([v.mH.to(like) for _, _, v in found]))


def _basis(matrices: list[Tensor]) -> Basis:
    """Their products, one along each axis."""
    return Basis(lambda x: _along([matrix.mT for matrix in matrices], x), lambda c: _along(matrices, c))


def _product(vectors: list[Tensor]) -> Tensor:
    """Of vectors (n_1,), ..., (n_k,): (1, n_1, ..., n_k)."""
    x = vectors[0]
    for v in vectors[1:]:
        x = x[..., None] * v
    return x[None]


def _along(matrices: list[Tensor], x: Tensor) -> Tensor:
    """x (B, n_1, ..., n_k) with matrices (m_i, n_i) along its axes: (B, m_1, ..., m_k)."""
    for k, matrix in enumerate(matrices):
        x = torch.movedim(torch.movedim(x, k + 1, -1) @ matrix.mT, -1, k + 1)
    return x
