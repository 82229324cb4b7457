"""A large image in overlapping tiles: the same result as at once for a local restorer, a blend for any other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from degrade.transfer import like

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


class Tile(NamedTuple):
    """Slices (rows, columns): what the tile is responsible for, what it looks at, and where the former lies in the latter."""

    core: tuple[slice, slice]
    window: tuple[slice, slice]
    inner: tuple[slice, slice]


def tiles(height: int, width: int, tile: int, halo: int, stride: int = 1) -> Iterator[Tile]:
    """Cores of at most tile x tile pixels that cover the image, row by row, and windows that reach `halo` pixels further.

    As few cores as possible, of equal sides to one `stride`, so that none is much smaller than half a tile. Cores and windows
    begin at multiples of `stride`: tile and halo are rounded up to those. Raises ValueError for a tile smaller than its halo,
    which would spend most of the work on the halo.
    """
    if min(height, width, tile, stride) < 1 or halo < 0:
        raise ValueError(f"sides, tile and stride are at least 1 and halo at least 0, got {height}, {width}, {tile}, {halo}.")
    if tile < halo:
        raise ValueError(f"tiles of {tile} pixels are smaller than their halo of {halo}: take tiles of at least {halo}.")
    for rows, columns in itertools.product(*(list(_spans(side, tile, halo, stride)) for side in (height, width))):
        yield Tile(*zip(rows, columns, strict=True))


def _spans(side: int, tile: int, halo: int, stride: int) -> Iterator[tuple[slice, slice, slice]]:
    """Along one axis: each core, its window, and its place in the window."""
    squares, per_tile, reach = (-(-length // stride) for length in (side, tile, halo))
    count = -(-squares // per_tile)
    for i in range(count):
        start, stop = squares * i // count * stride, min(side, squares * (i + 1) // count * stride)
        first, last = max(0, start - reach * stride), min(side, stop + reach * stride)
        yield slice(start, stop), slice(first, last), slice(start - first, stop - first)


def tiled(restore: Restore, tile: int, halo: int, stride: int = 1) -> Restore:
    """The restorer sees tiles of `tile` pixels with `halo` more on each side; x0_hat is put together from their cores.

    For a restorer whose output pixel depends on no input further away than `halo`, and that works on squares of `stride` pixels
    (a strictly local PatchUNet: see `models.receptive_field`), the result is that of one call, to rounding. Others give seams:
    use `blended`.
    """

    def restored(x_t: Tensor, t: Tensor) -> Tensor:
        x0 = torch.empty_like(x_t)
        for core, window, inner in tiles(x_t.shape[-2], x_t.shape[-1], tile, halo, stride):
            x0[(..., *core)] = restore(x_t[(..., *window)], t)[(..., *inner)]
        return x0

    return restored


def blended(restore: Restore, tile: int, overlap: int, stride: int = 1) -> Restore:
    """The restorer sees windows that overlap by 2 `overlap` pixels; x0_hat is their average, weights falling to the edges.

    For restorers that are not local (group norm, attention): no seams, but each window is its own scene, so the result is not
    that of one call (Bar-Tal et al. 2023, arXiv 2302.08113).
    """
    if overlap < 1:
        raise ValueError(f"windows that are blended overlap by at least 1 pixel, got {overlap}.")

    def restored(x_t: Tensor, t: Tensor) -> Tensor:
        size = (x_t.shape[-2], x_t.shape[-1])
        return joined(lambda window: restore(x_t[(..., *window)], t), size, tile, overlap, stride)

    return restored


def joined(
    run: Callable[[tuple[slice, slice]], Tensor], size: tuple[int, int], tile: int, overlap: int, stride: int = 1
) -> Tensor:
    """(B, C, *size), the average of what `run` makes of windows (rows, columns) of it that overlap by 2 `overlap` pixels, at
    least 1 of them."""
    total = weights = torch.zeros(())
    for _, window, _ in tiles(*size, tile, overlap, stride):
        part = run(window)
        if not total.ndim:
            total = part.new_zeros(*part.shape[:2], *size)
            weights = part.new_zeros(1, 1, *size)
        rows, columns = (_ramp(span, side, 2 * overlap) for span, side in zip(window, size, strict=True))
        weight = like(rows[:, None] * columns, part)
        total[(..., *window)] += weight * part
        weights[(..., *window)] += weight
    total /= weights
    return total


def _ramp(part: slice, side: int, width: int) -> Tensor:
    """1 inside of a window, falling linearly over `width` pixels towards the edges that are not the image's."""
    place = torch.arange(part.start, part.stop)
    near = torch.full_like(place, width, dtype=torch.float32)
    if part.start > 0:
        near = torch.minimum(near, place - part.start + 0.5)
    if part.stop < side:
        near = torch.minimum(near, part.stop - place - 0.5)
    return near / width
