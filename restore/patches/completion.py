"""A hole in a picture filled with pieces of what is around it, coarse to fine: each patch that touches the hole has a source.

At the coarsest scale the hole is filled from its rim inwards: a pixel is that of a known patch y, drawn with the probability

    p_y ~ exp(-|m (x - y)|^2 / (2 s^2 |m|)),    m: the pixels of the patch x that are known by now

(Efros and Leung 1999, "Texture synthesis by non-parametric sampling"). Then two steps take turns, here and at each finer scale
(Wexler, Shechtman and Irani 2007, "Space-time completion of video", section 3): every patch that touches the hole takes the
known patch that is most like it as its source, and every pixel becomes the mean of what the sources of the patches around say
of it, weighted by how like their patches they are. From scale to scale the sources are enlarged, not the picture: what lies
within a piece is copied pixel by pixel, and only where pieces meet is anything averaged. Sources are looked for among those of
the patches nearby, shifted along, and around the present one (Barnes et al. 2009, "PatchMatch").
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from degrade.lazy import torch
from degrade.random import Stream, seeded
from restore.filling import filled
from restore.pipelines.editing import bounds
from samplers import sizes
from samplers.watched import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

REACH, LEAST_REACH, MANY = 4, 2, 2**18
"""Pixels from the middle of a patch to its edge, and where more than MANY pixels are missing."""
ROUNDS, FINE_ROUNDS, LARGEST = 5, 2, 256
"""How often both steps are taken at scales of up to LARGEST pixels, where sources lie anywhere, and at finer ones."""
COARSEST, FACTOR = 32, 0.7
"""Least shorter side of the coarsest scale, pixels, and the size of a scale relative to the next finer one."""
DEPTH = 6
"""At the coarsest scale no pixel of a hole lies further than about this from its rim, pixels."""
KNOWN = 0.2
"""Share of a scale's patches that touch no hole, at least: coarser scales are left out."""
DRAWN = 0.02
"""s: how far, root mean square, patches may be from what is known and be drawn nevertheless."""
BLEND = 1.0
"""Standard deviation of the weights of what several patches say of a pixel, pixels."""
STEP = 0.1
"""How much brighter or darker the hole is made along its rim, at most: a larger difference is one of matter."""
KEYS, AT_ONCE = 2**14, 2**15
"""Known patches that are drawn from, at most, and patches that are treated at a time."""


def completed(picture: Tensor, hole: Tensor, seed: int = 0) -> Tensor:
    """picture (C, H, W) in [-1, 1] with new pixels where hole (1, H, W) is 1; those that were there are not looked at.

    ValueError if no patch of 9 x 9 pixels (5 x 5, where much is missing) is known.
    """
    from tqdm import tqdm

    generator, scale = seeded(seed, Stream.FIELD), None
    levels = _levels(hole)
    work = [0, *itertools.accumulate(height * width for height, width in levels)]
    for number, level in enumerate(tqdm(levels, "filling", unit="scale", dynamic_ncols=True), 1):
        coarser, scale = scale, _Scale(*reduced(picture, hole, level))
        if coarser is None:
            scale.peel(generator)
        else:
            scale.follow(coarser, generator)
            del coarser
        for _ in range(scale.rounds):
            scale.improve(generator)
            scale.vote()
        tell(work[number] / work[-1])
    assert scale is not None  # there is one scale at least
    return torch.where(hole > 0, scale.joined(), picture)


def reduced(picture: Tensor, hole: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A picture and its hole at a smaller size: what is in the hole mixes with nothing around it."""
    if size == (picture.shape[1], picture.shape[2]):
        return picture, hole
    weighted = torch.cat([picture * (1 - hole), 1 - hole])[None]
    *known, share = torch.nn.functional.interpolate(weighted, size, mode="bicubic", antialias=True)[0]
    return (torch.stack(known) / share.clamp(min=1e-3)).clamp(-1, 1), (share[None] < 0.999).to(hole)


def depth(hole: Tensor) -> int:
    """How far from its rim, about, a pixel of the hole (1, H, W) lies at most, pixels."""
    cell = max(1, max(hole.shape) // LARGEST)
    rest, count = torch.nn.functional.max_pool2d(hole[None], cell, ceil_mode=True), 0
    while bool(rest.any()) and count < LARGEST:
        rest, count = -torch.nn.functional.max_pool2d(-rest, 3, 1, 1), count + 1
    return max(1, count) * cell


def _levels(hole: Tensor) -> list[tuple[int, int]]:
    """Sizes of the scales, coarse to fine: the coarsest is one at which the hole is shallow, and enough around it known."""
    height, width = hole.shape[1:]
    ratio = min(DEPTH / depth(hole), LARGEST / max(height, width), 1.0)
    levels = sizes(height, width, max(min(COARSEST, height, width), round(ratio * min(height, width))), FACTOR)
    for first, level in enumerate(levels):
        missing = reduced(hole, hole, level)[1]
        whole = _whole(missing, _reach(missing))
        if bool(whole.any()) and (float(whole.float().mean()) >= KNOWN or max(level) >= LARGEST):
            return levels[first:]
    if not bool(whole.any()):
        side = 2 * _reach(missing) + 1
        raise ValueError(f"no {side} x {side} pixels of the picture are outside of what is made anew: nothing to make it from.")
    return levels[-1:]


def _reach(hole: Tensor) -> int:
    return REACH if int(hole.sum()) <= MANY else LEAST_REACH


def _whole(hole: Tensor, reach: int) -> Tensor:
    """Which pixels (h, w) are the middle of a patch that is known."""
    return (
        torch.nn.functional.max_pool2d(torch.nn.functional.pad(hole, (reach,) * 4, value=1.0)[None], 2 * reach + 1, 1)[0, 0]
        == 0
    )


class _Scale:
    """The picture x (C, h, w) at one scale, and a source for each patch that touches the hole (1, h, w).

    rows, columns, source (2, n): the pixels in the middle of such patches, and of their sources; number (h, w): which patch has
    a pixel in its middle, or -1; sure (n,): how much a source counts.
    """

    def __init__(self, known: Tensor, hole: Tensor) -> None:
        self.x, self.hole = known.clone(), hole
        self.size = self.height, self.width = known.shape[1], known.shape[2]
        self.reach = _reach(hole)
        self.rounds = ROUNDS if max(self.size) <= LARGEST else FINE_ROUNDS
        self.whole = _whole(hole, self.reach)
        near = torch.nn.functional.max_pool2d(hole[None], 2 * self.reach + 1, 1, self.reach)[0, 0] > 0
        self.rows, self.columns = (axis.int() for axis in near.nonzero(as_tuple=True))
        count = len(self.rows)
        self.number = torch.full(self.size, -1, dtype=torch.int32)
        self.number[near] = torch.arange(count, dtype=torch.int32)
        self.source = torch.zeros(2, count, dtype=torch.int32)
        self.sure = torch.ones(count)

    def peel(self, generator: Generator) -> None:
        """Fills the hole from its rim inwards, and finds the best of all sources."""
        places = self.whole.nonzero()
        if len(places) > KEYS:
            places = places[torch.randperm(len(places), generator=generator)[:KEYS]]
        keys = self._patches(self._padded(), places[:, 0], places[:, 1]).flatten(1)
        squares = keys.square()
        middle = keys.unflatten(1, (len(self.x), -1))[:, :, (2 * self.reach + 1) ** 2 // 2]
        missing = self.hole.clone()
        while bool(missing.any()):
            rim = (missing > 0) & (torch.nn.functional.max_pool2d(1 - missing[None], 3, 1, 1)[0] > 0)
            padded, rim_at = self._padded(), rim[0].nonzero()
            seen = torch.nn.functional.pad(1 - missing, (self.reach,) * 4)
            for rows, columns in (part.T for part in rim_at.split(256)):
                mask = self._patches(seen, rows, columns).expand(-1, len(self.x), -1).flatten(1)
                patches = self._patches(padded, rows, columns).flatten(1) * mask
                unlike = (mask @ squares.T - 2 * patches @ keys.T) / mask.sum(1, keepdim=True)
                drawn = torch.multinomial((-unlike / (2 * DRAWN**2)).softmax(1), 1, generator=generator)[:, 0]
                self.x[:, rows, columns] = middle[drawn].T
            missing[rim] = 0
        padded = self._padded()
        for part in self._parts(1024):
            patches = self._patches(padded, self.rows[part], self.columns[part]).flatten(1)
            self.source[:, part] = places[(patches @ keys.T - squares.sum(1) / 2).argmax(1)].T.int()
        self.vote()

    def follow(self, coarser: _Scale, generator: Generator) -> None:
        """Takes over the sources of a coarser scale."""
        at, shift = [], []
        for here, smaller, larger in zip((self.rows, self.columns), coarser.size, self.size, strict=True):
            at.append(((here + 0.5) * (smaller / larger)).long().clamp(max=smaller - 1))
        number = coarser.number[at[0], at[1]].long()
        lost = number < 0
        for axis, here in enumerate((self.rows, self.columns)):
            away = (coarser.source[axis, number.clamp(min=0)] - at[axis]) * (self.size[axis] / coarser.size[axis])
            shift.append((here + away.round()).clamp(0, self.size[axis] - 1).int())
        self.source = torch.stack(shift)
        lost |= ~self.whole[self.source[0].long(), self.source[1].long()]
        places = self.whole.nonzero().int()
        self.source[:, lost] = places[torch.randint(len(places), (int(lost.sum()),), generator=generator)].T
        self.sure = coarser.sure[number.clamp(min=0)].clamp(min=1e-6) * ~lost + 1e-6 * lost
        self.vote()

    def improve(self, generator: Generator) -> None:
        """Sources that are more like their patches: those of patches nearby, and some around the present one."""
        padded, coarse = self._padded(), max(self.size) <= LARGEST
        unlike = torch.empty(len(self.rows))
        for part in self._parts():
            rows, columns = self.rows[part].long(), self.columns[part].long()
            patches, source = self._patches(padded, rows, columns), self.source[:, part].long()
            least = self._unlike(padded, patches, source)
            for step in (8, 4, 2, 1) if coarse else (4, 1):
                for down, along in ((step, 0), (-step, 0), (0, step), (0, -step)):
                    other = self._number(rows + down, columns + along)
                    offered = self.source[:, other.clamp(min=0)].long() - torch.tensor([[down], [along]])
                    self._take(padded, patches, source, least, torch.where(other >= 0, offered, source))
            radius = max(self.size) if coarse else 2
            while radius >= 1:
                offered = source + torch.randint(-radius, radius + 1, source.shape, generator=generator)
                self._take(padded, patches, source, least, offered)
                radius //= 2
            self.source[:, part], unlike[part] = source.int(), least
        self.sure = torch.exp(-unlike / unlike.mean().clamp(min=1e-6)).clamp(min=1e-6)

    def _take(self, padded: Tensor, patches: Tensor, source: Tensor, least: Tensor, offered: Tensor) -> None:
        """Takes those of the sources that are offered (2, n) which are known, and nearer to `patches` than `least`."""
        rows, columns = offered[0].clamp(0, self.height - 1), offered[1].clamp(0, self.width - 1)
        inside = (rows == offered[0]) & (columns == offered[1])
        some = (inside & self.whole[rows, columns] & (offered != source).any(0)).nonzero()[:, 0]
        distance = self._unlike(padded, patches[some], offered[:, some])
        better = distance < least[some]
        some = some[better]
        least[some], source[:, some] = distance[better], offered[:, some]

    def vote(self) -> None:
        """Pixels of the hole are what the sources of the patches around say of them."""
        for rows, columns in (part.T for part in self.hole[0].nonzero().split(AT_ONCE)):
            self.x[:, rows, columns] = self._said(rows, columns)

    def joined(self) -> Tensor:
        """x, its hole brighter or darker as the pixels at its rim are than what the sources say of these: no step is left."""
        rim = torch.nn.functional.max_pool2d(self.hole[None], 3, 1, 1)[0] - self.hole
        top, bottom, left, right = bounds(self.hole + rim)
        error = torch.zeros_like(self.x)
        for rows, columns in (part.T for part in rim[0].nonzero().split(AT_ONCE)):
            error[:, rows, columns] = (self.x[:, rows, columns] - self._said(rows, columns)).clamp(-STEP, STEP)
        box = (..., slice(top, bottom), slice(left, right))
        x = self.x.clone()
        x[box] += filled(error[box][None], rim[box][None])[0] * self.hole[box]
        return x.clamp(-1, 1)

    def _said(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The mean (C, n) of what the sources of the patches around say of these pixels."""
        offsets = range(-self.reach, self.reach + 1)
        total, weights = torch.zeros(len(self.x), len(rows)), torch.zeros(len(rows))
        for down, along in itertools.product(offsets, offsets):
            other = self._number(rows + down, columns + along)
            weight = math.exp(-(down**2 + along**2) / (2 * BLEND**2)) * self.sure[other] * (other >= 0)
            row, column = self.source[:, other].long()
            total += weight * self.x[:, row - down, column - along]
            weights += weight
        return total / weights

    def _number(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Which patch has these pixels in its middle, or -1."""
        inside = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        found = self.number[rows.clamp(0, self.height - 1), columns.clamp(0, self.width - 1)].long()
        return torch.where(inside, found, -1)

    def _parts(self, most: int = AT_ONCE) -> Iterator[slice]:
        return (slice(first, first + most) for first in range(0, len(self.rows), most))

    def _padded(self) -> Tensor:
        return torch.nn.functional.pad(self.x[None], (self.reach,) * 4, mode="replicate")[0]

    def _patches(self, padded: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The patches (n, C, side side) with these pixels in their middle."""
        width, offsets = padded.shape[2], torch.arange(2 * self.reach + 1)
        place = (rows.long() * width + columns)[:, None] + (offsets[:, None] * width + offsets).flatten()
        return torch.stack([channel[place] for channel in padded.flatten(1)], 1)

    def _unlike(self, padded: Tensor, patches: Tensor, source: Tensor) -> Tensor:
        """Squared distance (n,) between `patches` and those at `source` (2, n)."""
        return (patches - self._patches(padded, source[0], source[1])).square().sum((1, 2))
