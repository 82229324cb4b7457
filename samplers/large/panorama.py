"""An image larger than memory, coarse to fine: a canvas for each size, each begun with the enlarged one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.protocols import Gaussian
from samplers.driver import Sampler
from samplers.large.canvas import Canvas
from samplers.large.pyramid import Scale

if TYPE_CHECKING:
    from torch import Tensor


def panorama(
    folder: Path,
    scales: Sequence[Scale],
    sampler: Sampler,
    degradation: Gaussian,
    *,
    tile: int,
    halo: int,
    stride: int = 1,
    channels: int = 3,
    seed: int = 0,
    source: str = "",
    device: torch.device | str = "cpu",
    on_tile: Callable[[int, int], None] | None = None,
) -> Canvas:
    """The walk of `samplers.large.pyramid` on canvases in `folder`; returns the last one. A single scale is a plain walk.

    For restorers that see `halo` pixels around a tile; a scale that is `whole` is one tile. Goes on where an earlier call was
    interrupted; of finished canvases only the last stays. `on_tile(done, total)` counts tiles over all scales. Raises
    CanvasError: see `Canvas.walk`.
    """
    canvases = [
        Canvas(folder / f"scale-{i:02d}", (channels, *scale.size), side, halo, stride, source)
        for i, scale in enumerate(scales)
        for side in [max(tile, *scale.size) if scale.whole else tile]
    ]
    counts = [canvas.count(scale.times) for canvas, scale in zip(canvases, scales, strict=True)]
    first = max((i for i, canvas in enumerate(canvases) if canvas.folder.exists()), default=0)
    if not canvases[-1].folder.exists():  # found out now, not after the coarse scales
        canvases[-1].check_room()
    for i in range(first, len(canvases)):
        before = sum(counts[:i])

        def on_tile_of_scale(done: int, total: int, before: int = before) -> None:
            if on_tile is not None:
                on_tile(before + done, sum(counts))

        begin = enlarged(canvases[i - 1], scales[i].size) if i else None
        canvases[i].walk(
            scales[i].sampler or sampler,
            scales[i].restore,
            degradation,
            scales[i].times,
            (seed, i),
            device,
            on_tile_of_scale,
            begin,
        )
        if i:
            canvases[i - 1].remove()
    return canvases[-1]


def enlarged(canvas: Canvas, size: tuple[int, int]) -> Callable[[tuple[slice, slice]], Tensor]:
    """Windows of the finished canvas at a larger `size`, within [-1, 1]; bicubic, as `samplers.enlarge` of the whole would be.

    Each pixel is a sum of four by four in a fixed order: what it holds does not depend on the window.
    """

    def window(place: tuple[slice, slice]) -> Tensor:
        (top, rows), (left, columns) = (
            _taps(part, there, here) for part, there, here in zip(place, size, canvas.size[1:], strict=True)
        )
        return _summed(_summed(canvas.window(top, left).mT, rows).mT, columns).clamp(-1, 1)

    return window


def _summed(x: Tensor, taps: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Weighted columns of x."""
    total = torch.zeros(())
    for index, weight in taps:
        total = total + weight * x[..., index]
    return total


def _taps(part: slice, size: int, before: int, a: float = -0.75) -> tuple[slice, list[tuple[Tensor, Tensor]]]:
    """What of `before` pixels a `part` of their enlargement to `size` needs, and four (indices into that, weights).

    Keys' cubic (1981, IEEE ASSP 29, eq. 4) with a = -3/4 as in torch; beyond its edges the image goes on with its last pixels.
    """
    place = (torch.arange(part.start, part.stop, dtype=torch.float64) + 0.5) * before / size - 0.5
    base = place.floor()
    f = place - base
    near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (f, 1 - f)]
    far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + f, 2 - f)]
    index = [(base.long() + k).clamp(0, before - 1) for k in (-1, 0, 1, 2)]
    first, last = int(index[0].min()), int(index[-1].max())
    weights = (far[0], near[0], near[1], far[1])
    return slice(first, last + 1), [(i - first, w.float()) for i, w in zip(index, weights, strict=True)]
