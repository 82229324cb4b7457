"""Small linear operators as matrices, written out column by column: their least squares are exact, however ill-conditioned.

    L = U S V^T,        A e_k the k-th column of L, e_k an image of zeros but for a 1

For operators that have no basis in decomposition.py. Conjugate gradients come nearer by (kappa - 1) / (kappa + 1) a round,
kappa = S_max / S_min (Bjorck 1996, section 7.4): after 50 rounds they are far from the end where kappa is in the hundreds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.severity import wide_dtype
from samplers.guides.decomposition import ALIKE, Basis, Decomposition

if TYPE_CHECKING:
    from torch import Tensor

    Forward = Callable[[Tensor], Tensor]

LARGEST = 4096
"""Numbers of an image, and of its measurement, up to which a matrix is made: one of 4096 x 4096 takes 128 MiB, and a few such
are held while it is decomposed. Where each image has an operator of its own, no more numbers in all."""


def dense(forward: Forward, noise: Tensor) -> Decomposition | None:
    """Of v -> L v, linear, `noise` (B, C, *space) being images of noise; None for what is larger than LARGEST, or not linear.

    One product for every B numbers of an image where all images have the same operator, else one for every number; then a
    singular value decomposition in float64, in proportion to the third power of the numbers.
    """
    seen = forward(noise)
    batch, numbers, measured = len(noise), noise[0].numel(), seen[0].numel()
    if max(numbers, measured) > LARGEST:
        return None
    most = ALIKE * seen.flatten(1).abs().amax(1).clamp(min=torch.finfo(seen.dtype).tiny)
    repeated = forward(noise[:1].expand_as(noise))
    together = bool(((repeated - seen[:1]).flatten(1).abs().amax(1) <= most[:1]).all())
    if not together and batch * numbers * measured > LARGEST**2:
        return None
    columns = []
    for units in torch.eye(numbers, dtype=noise.dtype).split(batch if together else 1):
        images = torch.zeros(batch, numbers, dtype=noise.dtype)
        images[: len(units) if together else batch] = units
        made = forward(images.to(noise).view_as(noise)).flatten(1)
        columns.append(made[: len(units)].T[None] if together else made[..., None])
    matrix = torch.cat(columns, 2).to(wide_dtype(noise.device))
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    rounding = max(numbers, measured) * torch.finfo(noise.dtype).eps
    values = s.where(s > rounding * s[:, :1], 0).to(noise)
    found = Decomposition(values, _basis(u.to(noise), seen.shape[1:]), _basis(vh.mT.to(noise), noise.shape[1:]))
    return found if bool(((found.forward(noise) - seen).flatten(1).abs().amax(1) <= most).all()) else None


def _basis(matrix: Tensor, shape: torch.Size) -> Basis:
    """The columns of `matrix` (B or 1, n, k), each of which has `shape`."""
    return Basis(
        lambda x: (matrix.mT @ x.flatten(1)[..., None])[..., 0],
        lambda c: (matrix @ c[..., None])[..., 0].unflatten(1, shape),
    )
