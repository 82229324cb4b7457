"""Parts of a photograph made anew at its own size: of its own pieces, or laid out reduced, then given detail tile by tile.

Without training or guides a hole is filled with pieces of what is around it (restore/patches/completion.py). Else the layout is
that of a smaller picture: at every finer scale it is enlarged and walked back from a low severity, with patches of the
photograph's known parts at that scale that look like it; what is known, and the tiles that are done, stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from degrade import State
from degrade.lazy import torch
from degrade.random import Stream, seeded
from restore.machine.allocator import return_freed_memory
from restore.patches.completion import LARGEST, completed, depth, reduced
from restore.patches.sources import Sources
from restore.pipelines.closed_form import ClosedForm, closed_form, times
from restore.pipelines.editing import FADE, Guide, bounds, softened
from restore.pipelines.generation import Edit
from restore.pipelines.pipeline import Pipeline
from samplers import enlarge, known_pixels, sample
from samplers.large.tiles import tiles
from samplers.watched import part

if TYPE_CHECKING:
    from torch import Tensor

Layout = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""What is known of a picture (C, h, w), a mask (1, h, w) of its hole, and the picture, to the picture with the hole filled."""
Window = tuple[slice, slice]

CELL = 16
"""Holes nearer to each other than about this are one, pixels."""
CONTEXT = 1.0
"""How far a window reaches beyond a hole, of the hole's sides."""
APART, COPIED = 6, 0.1
"""Pixels between the patches that are copied first, and the width of their weights, in sides: little is averaged away."""
WIDTH = 0.2
"""The same width on the walk back, which clears up where they meet."""
SEVERITY = 0.06
"""From which a finer scale is walked back."""
NEAREST = 0.02
"""Standard deviation by which soft patches may differ and be made of the same sharp ones."""
TILE = 192
HALO = 24
"""Pixels around a tile that are looked at, and walked along, so that it fits what is beside it."""
THIN = 16
"""Length, of its depth, from which a hole is filled with pieces one stretch after the other: a scratch, or letters."""


def windows(hole: Tensor, least: int) -> list[Window]:
    """What is looked at to fill a hole (1, H, W): rectangles around its parts, `least` pixels wide and high or more, those that
    would overlap in one."""
    size = (hole.shape[1], hole.shape[2])
    found: list[Window] = []
    for box in _parts(hole):
        window = _around(box, size, least)
        while (other := next((w for w in found if _overlap(w, window)), None)) is not None:
            found.remove(other)
            window = (_span(window[0], other[0]), _span(window[1], other[1]))
        found.append(window)
    return sorted(found, key=lambda window: (window[0].start, window[1].start))


def inpaint(
    pipeline: Pipeline,
    picture: Tensor,
    hole: Tensor,
    seed: int = 0,
    *,
    soft: int = 0,
    resample: int = 3,
    own: bool = True,
    severity: float | None = None,
    keeps: bool = False,
    guides: Sequence[Guide] = (),
) -> Tensor:
    """A picture (C, H, W) of any size in [-1, 1], made anew where hole (1, H, W) is 1; all other pixels are the picture's.

    Where the layout is the picture's own (`own`, without training, guides and severity), each window around a part of the hole
    is filled with pieces of its known pixels. Else the picture is laid out at the size of the pipeline's images, and given
    detail by the closed form of its known parts.

    soft: pixels around the hole that change too, less the further away. resample: times that each step of a layout is taken,
    for old and new to agree. own: without training, the layout is made of the picture's known parts, not of the pipeline's
    photograph. severity: how far the picture is degraded in the hole before it is restored; by default nothing is left of it
    there. keeps: what is in the hole keeps its own detail, and its layout. ValueError in one line for what does not fit.
    """
    if picture.ndim != 3 or hole.shape != (1, *picture.shape[1:]):
        raise ValueError(f"a picture (C, H, W) and its hole (1, H, W), got {tuple(picture.shape)} and {tuple(hole.shape)}.")
    detail = max(pipeline.size[1:])
    stays = softened(1 - hole, soft)
    new = (stays < 1).to(hole)
    patches = pipeline if isinstance(pipeline, ClosedForm) else closed_form(picture[:, :1, :1])

    def layout(known: Tensor, missing: Tensor, seen: Tensor) -> Tensor:
        edit = Edit(known=(known, 1 - missing), resample=resample, hole=missing if own else None, guides=guides)
        if severity is not None:
            edit = edit._replace(begin=torch.lerp(known, seen, missing), severity=severity, layout=keeps)
        maker = pipeline.seeing(known) if own else pipeline
        return maker.generate((known.shape[1], known.shape[2]), seed=seed, edit=edit)[0]

    made = picture.clone()
    whole = (slice(0, picture.shape[1]), slice(0, picture.shape[2]))
    pieces = severity is None and of_pieces(pipeline, own, guides)
    parts = windows(new, detail) if pieces else [whole]
    for number, window in enumerate(parts):
        here = (..., *window)
        with part(number / len(parts), (number + 1) / len(parts)):
            if pieces:
                filled = _pieced(picture[here], new[here], seed)
            else:
                filled = _filled(picture[here], new[here], layout, detail, None if keeps else patches, seed)
        made[here] = torch.where(new[here] > 0, torch.lerp(filled, picture[here], stays[here]), picture[here])
    return made


def of_pieces(pipeline: Pipeline, own: bool, guides: Sequence[Guide]) -> bool:
    """Whether holes are filled with pieces of the picture itself."""
    return own and not guides and isinstance(pipeline, ClosedForm)


def _pieced(picture: Tensor, hole: Tensor, seed: int) -> Tensor:
    """The picture (C, H, W) with new pixels where hole (1, H, W) is 1, of pieces of the others; what is long and thin in
    stretches, whose surroundings are near enough to be looked at without being reduced much."""
    made, missing = picture.clone(), hole.clone()
    length = max(LARGEST, THIN * depth(hole))
    touched = [
        tile for tile in tiles(picture.shape[1], picture.shape[2], length, length // 2) if bool(hole[(..., *tile.core)].any())
    ]
    for number, (core, window, inner) in enumerate(touched):
        with part(number / len(touched), (number + 1) / len(touched)):
            filled = completed(made[(..., *window)], missing[(..., *window)], seed)
        made[(..., *core)], missing[(..., *core)] = filled[(..., *inner)], 0
    return made


def _filled(picture: Tensor, hole: Tensor, layout: Layout, detail: int, pipeline: ClosedForm | None, seed: int) -> Tensor:
    """The picture (C, H, W) with new pixels where hole (1, H, W) is 1.

    `layout` fills it reduced to a longer side of `detail` pixels (as it is, where it has no more); each finer scale is at most
    twice as large, of patches of the known parts as `pipeline` takes them; without one, the picture's own detail is added.
    """
    height, width = picture.shape[1:]
    count = max(0, math.ceil(math.log2(max(height, width) / detail)))
    factor = (detail / max(height, width)) ** (1 / max(1, count))
    size = _scaled((height, width), factor**count)
    seen = enlarge(picture[None], size)[0] if count else picture
    made = layout(*reduced(picture, hole, size), seen)
    return_freed_memory()  # of the layout's patches
    if count and pipeline is None:
        return (picture + enlarge((made - seen)[None], (height, width))[0]).clamp(-1, 1)
    for number in range(1, count + 1):
        known, missing = reduced(picture, hole, _scaled((height, width), factor ** (count - number)))
        soft = enlarge(made[None], (known.shape[1], known.shape[2]))[0]
        made = refined(known, soft, missing, pipeline, (seed, number))  # type: ignore[arg-type]
    return made


def refined(known: Tensor, soft: Tensor, hole: Tensor, pipeline: ClosedForm, words: tuple[int, int]) -> Tensor:
    """The picture `known` (C, H, W), and detail for what `soft`, its coarser scale enlarged, shows where hole (1, H, W) is 1.

    Tile by tile, each fitting those before it: soft patches become the sharp ones of which the known picture's soft patches
    were made, then walk back from a low severity. Random numbers derive from `words`, a seed and the number of this scale.
    """
    from tqdm import tqdm

    from restore.patches.posterior import PatchPosterior

    degradation, settings, sampler = pipeline.degradation, pipeline.settings, pipeline.sampling.sampler
    grid = times(SEVERITY, pipeline.sampling.steps)
    size = (known.shape[1], known.shape[2])
    x, missing = torch.lerp(known, soft, hole), hole.clone()
    sources = Sources(x, hole)
    touched = [tile.core for tile in tiles(*size, TILE, HALO) if bool(hole[(..., *tile.core)].any())]
    for number, core in enumerate(tqdm(touched, f"{size[0]} x {size[1]}", unit="tile", dynamic_ncols=True)):
        place, window = _place(hole, core, size)
        blocks = sources.blocks(window)
        sharp, blurred, holes = ([y[(..., *block)] for block in blocks] for y in (known, soft, hole))
        patches = partial(PatchPosterior, sharp, degradation, neighbours=settings.neighbours, holes=holes)
        seen, stays = x[(None, ..., *window)], 1 - missing[(None, ..., *window)]
        copied = known_pixels(patches(settings.side, COPIED, APART, floor=NEAREST, degraded=blurred), seen, stays, FADE)
        begin = copied(soft[(None, ..., *window)], grid[:1])
        del copied  # memory: its patches are no longer needed
        latent = degradation.draw(begin, seeded(words[0], Stream.FIELD, words[1], number))
        start = State(degradation(begin, grid[:1], latent), latent)
        made = sample(
            sampler, known_pixels(patches(settings.detail, WIDTH, settings.stride), seen, stays, FADE), degradation, start, grid
        )
        rows, columns = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(place, window, strict=True))
        x[(..., *place)] = made[0, :, rows, columns]
        missing[(..., *place)] = 0
        return_freed_memory()
    return x


def _place(hole: Tensor, core: Window, size: tuple[int, int]) -> tuple[Window, Window]:
    """The part of a tile's core that has a hole, and what is looked at for it."""
    top, bottom, left, right = bounds(hole[(..., *core)])
    rows = slice(core[0].start + top, core[0].start + bottom)
    columns = slice(core[1].start + left, core[1].start + right)
    window = (_grown(rows, HALO, size[0]), _grown(columns, HALO, size[1]))
    return (rows, columns), window


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _grown(part: slice, pixels: int, side: int) -> slice:
    return slice(max(0, part.start - pixels), min(side, part.stop + pixels))


def _around(box: Window, size: tuple[int, int], least: int) -> Window:
    longer = max(part.stop - part.start for part in box)

    def along(part: slice, side: int) -> slice:
        length = min(side, max(part.stop - part.start + 2 * max(HALO, round(CONTEXT * longer)), least))
        start = max(0, min((part.start + part.stop - length) // 2, side - length))
        return slice(start, start + length)

    return along(box[0], size[0]), along(box[1], size[1])


def _overlap(a: Window, b: Window) -> bool:
    return all(one.start < other.stop and other.start < one.stop for one, other in zip(a, b, strict=True))


def _span(a: slice, b: slice) -> slice:
    return slice(min(a.start, b.start), max(a.stop, b.stop))


def _parts(hole: Tensor) -> list[Window]:
    """The rectangles around the connected parts of a hole, to a grid of CELL pixels."""
    cells = torch.nn.functional.max_pool2d(hole[None], CELL, ceil_mode=True)
    label = torch.arange(1.0, cells.numel() + 1).reshape(cells.shape) * cells
    while not torch.equal(label, spread := torch.nn.functional.max_pool2d(label, 3, 1, 1) * cells):
        label = spread
    found = []
    for one in label.unique()[label.unique() > 0]:
        rows, columns = ((label[0, 0] == one).any(axis).nonzero()[:, 0] * CELL for axis in (1, 0))
        found.append((slice(int(rows[0]), int(rows[-1]) + CELL), slice(int(columns[0]), int(columns[-1]) + CELL)))
    return [(slice(r.start, min(r.stop, hole.shape[1])), slice(c.start, min(c.stop, hole.shape[2]))) for r, c in found]
