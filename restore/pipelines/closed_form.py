"""A pipeline from one photograph, without training: the closed-form patch posterior, coarse to fine.

Every patch of the result is a mean of patches of the photograph, weighted by how well each explains what is there
(arXiv 2606.04299; restore/patches/posterior.py). Deterministic DDIM on alpha = 1 - t, sigma = t, at sizes a factor .75 apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from degrade import Degradation, GaussianNoise, GaussianPrior, Prior, RectifiedFlow, State
from degrade.lazy import torch
from degrade.transfer import like, moved
from models import Condition
from restore.data.sources import OneImage
from restore.filling import filled
from restore.patches.places import Height
from restore.patches.settings import LAST, ORDINARY, PatchSettings
from restore.pipelines.conditioning import Asked
from restore.pipelines.editing import bounds, known_guide
from restore.pipelines.generation import Edit
from restore.pipelines.pipeline import Pipeline
from restore.sampling import Sampling
from samplers import DDIM, Scale, enlarge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor

    from degrade.protocols import Restore

FILLED = 0.6
"""Severity that a picture is degraded to where what is around it, or missing from it, was filled in smoothly."""
FINE = 0.5
"""Size of the coarsest scale, of the picture's, where its layout is to stay."""
OPEN = 24
"""Shorter side of the coarsest scale, pixels, at least, where a picture goes on or is filled: a hole there leaves patches."""
KNOWN = 0.2
"""Share of a scale's patches that touch no hole, at least: scales with fewer are left out."""
SMALL = 4
"""A photograph of fewer patches than this, a side, may have none of one matter (a sky) at its edge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedForm(Pipeline):
    """The posterior of a photograph's patches. `sampling.steps` are those of each finer scale; the coarsest takes twice as
    many."""

    photograph: Tensor
    """(C, H, W) in [-1, 1]."""
    settings: PatchSettings = ORDINARY
    name: str = "a photograph"
    without: Tensor | None = None
    """A mask (1, h, w) of the photograph, whose patches are not used where it is 1."""
    continued: bool = False
    """At coarse scales the photograph goes on by a few pixels like its last ones, for what lies at its edge to go on too:
    without, no patch there would be all sky."""
    height: Height | None = None
    """Where the photograph lies in an image that goes on around it: what is above is made of its upper patches."""
    windowed: bool = False
    """Whether images are made in windows, but for scales that are balanced."""
    degradation: Degradation = field(default_factory=lambda: GaussianNoise(RectifiedFlow()))
    prior: Prior = field(default_factory=GaussianPrior)
    sampling: Sampling = field(default_factory=lambda: Sampling(DDIM(), steps=4, clip=False))

    @property
    def identity(self) -> str:
        return self.name

    @property
    def stride(self) -> int:
        return self.settings.grid

    @property
    def halo(self) -> int:
        return self.settings.reach

    @property
    def footprint(self) -> int:
        return 700  # measured: patches that overlap, what explains each, and their means

    def padded(self, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def read(self, path: str | Path | None = None) -> Tensor:
        return self.photograph if path is None else super().read(path)

    def seeing(self, picture: Tensor) -> Self:
        return replace(self, photograph=picture, size=(picture.shape[0], picture.shape[1], picture.shape[2]))

    def spanning(self, size: tuple[int, int]) -> Self:
        return replace(self, settings=self.settings.spanning(min(self.photograph.shape[1:])), windowed=True)

    def scale(self, size: tuple[int, int], severity: float, numbers: range, condition: Asked = None) -> Scale:
        """The photograph at its own size."""
        self._check(condition, severity)
        return Scale(size, self._posteriors()(1.0, size), times(severity, self.sampling.steps))

    def scales(
        self, size: tuple[int, int], severity: float = 1.0, numbers: range = range(1), condition: Asked = None
    ) -> list[Scale]:
        """At each size the posterior of the photograph reduced by as much, built when it is first called; only the last stays.

        Raises ValueError for images too small for a patch.
        """
        settings, steps = self.settings, self.sampling.steps
        self._check(condition, severity)
        for name in ("side", "detail"):
            height, width = min(size, tuple(self.photograph.shape[1:]), key=min)
            if min(height, width) < (least := getattr(settings, name)):
                small = f"{height} x {width} pixels hold no patch of {least} a side (settings.{name})"
                raise ValueError(f"{small}: give larger sides, or smaller patches.")
        posterior = self._posteriors()
        scales: list[Scale] = []
        for number, level in enumerate(settings.levels(size, (self.photograph.shape[1], self.photograph.shape[2]))):
            ratio = level[0] / size[0]
            at = self._settings(ratio, level)
            grid = times(min(at.noise, severity), steps) if number else times(severity, 2 * steps)

            def restore(x_t: Tensor, t: Tensor, ratio: float = ratio, level: tuple[int, int] = level) -> Tensor:
                return posterior(ratio, level)(x_t, t)

            scales.append(Scale(level, restore, grid, whole=at.balanced > 0))
        return scales

    def start(self, size: tuple[int, int], scales: Sequence[Scale], begin: Tensor | None, generators: list[Generator]) -> State:
        nothing = torch.zeros(self.photograph.shape[0], 1, 1)
        return super().start(size, scales, nothing if begin is None else begin, generators)

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """What is unknown begins with what is around it, and is not in balance: where a picture goes on, so does its sky.
        `edit.layout` leaves out the coarse scales."""
        settings = replace(self.settings, coarsest=round(FINE * min(size))) if edit.layout else self.settings
        if edit.begin is not None:  # what it begins with says what lies at the edges
            settings = replace(settings, border=0.0)
        open_ended = edit.known is not None and edit.begin is None
        if edit.known is not None:
            picture, mask = edit.known
            edit = edit._replace(guides=(*edit.guides, known_guide(*(moved(x, self.device) for x in edit.known))))
            settings = replace(settings.local(), coarsest=max(OPEN, settings.coarsest))
            if edit.hole is not None:
                settings = replace(settings, coarsest=_open(edit.hole, settings))
            if edit.begin is None:
                edit = edit._replace(begin=filled(picture[None], mask[None])[0], severity=FILLED)
        continued = open_ended and edit.hole is None
        height = self._height(edit.known[1]) if edit.known is not None and continued else None
        return replace(self, settings=settings, without=edit.hole, continued=continued, height=height), edit

    @property
    def ratio(self) -> float:
        """Little: another photograph's patches are near to the picture's, not the same (docs/solving.md)."""
        return 0.03

    def solving(self) -> Self:
        """Patches lie anywhere, and as many of one kind as the measurement says."""
        return replace(self, settings=replace(self.settings.local(), border=0.0, octaves=0))

    def _height(self, mask: Tensor) -> Height | None:
        """Where the photograph lies in an image of which (1, H, W) is known: a part of its shape, and no other."""
        if not bool(mask.any()):
            return None
        top, bottom, left, right = bounds(mask)
        size, known = tuple(mask.shape[1:]), (bottom - top, right - left)
        return Height(top / size[0], bottom / size[0]) if known == tuple(self.photograph.shape[1:]) != size else None

    def _check(self, condition: Asked, severity: float) -> None:
        if condition.parts if isinstance(condition, Condition) else any(condition or ()):
            what = "network to condition" if isinstance(condition, Condition) else f"class {condition!r}"
            raise ValueError(f"there is no {what}: {self.name} takes no condition, leave it out.")
        if not LAST < severity <= 1:
            raise ValueError(f"without training, severities lie in ({LAST}, 1], got {severity}.")

    def _posteriors(self) -> Callable[[float, tuple[int, int]], Restore]:
        return lru_cache(maxsize=1)(self._posterior)

    def _shape(self, ratio: float) -> tuple[int, int]:
        """The photograph's size where that of images is `ratio` times what is asked for."""
        height, width = (max(self.settings.side + 1, round(side * ratio)) for side in self.photograph.shape[1:])
        return height, width

    def _settings(self, ratio: float, size: tuple[int, int]) -> PatchSettings:
        """Those of the scale of `size`: what is balanced is made in one piece, what is made in windows is local."""
        settings = self.settings
        return settings.local() if self.windowed and not settings.balances(self._shape(ratio), size) else settings

    def _posterior(self, ratio: float, size: tuple[int, int]) -> Restore:
        from restore.patches.scale import ScaleRestorer

        settings, shape = self._settings(ratio, size), self._shape(ratio)
        small = moved(enlarge(self.photograph[None], shape)[0], self.device)
        height = self.height
        if self.continued and min(shape) < SMALL * settings.side:
            margin = settings.side // 2
            small = torch.nn.functional.pad(small[None], (margin,) * 4, mode="replicate")[0]
            height = height and height.wider(margin / size[0])
        hole = None if self.without is None else like(enlarge(self.without[None], shape)[0] > 0, small)
        return ScaleRestorer(small, self.degradation, settings, size, hole, height)


def closed_form(
    photograph: Tensor | str | Path, detail: int = 250, settings: PatchSettings = ORDINARY, device: str = "cpu"
) -> ClosedForm:
    """The pipeline of a photograph: (C, H, W) in [-1, 1], or a file, whose longer side is reduced to `detail` pixels."""
    from restore.data.images import load_image
    from restore.storage.reading import sha256

    if isinstance(photograph, str | Path):
        path = Path(photograph)
        image, name = load_image(path, detail), f"{path.resolve()} at {detail} pixels, sum {sha256(path)}"
    else:
        path, image, name = None, photograph, "a photograph"
    size = (image.shape[0], image.shape[1], image.shape[2])
    return ClosedForm(
        photograph=image, settings=settings, size=size, data=OneImage(detail), images=path, name=name, device=device
    )


def _open(hole: Tensor, settings: PatchSettings) -> int:
    """The shorter side of the coarsest scale, pixels, at which enough patches touch no pixel of the hole (1, h, w)."""
    shorter, coarsest = min(hole.shape[1:]), settings.coarsest
    while coarsest < settings.factor * shorter:
        small = enlarge(hole[None], (hole.shape[1] * coarsest // shorter, hole.shape[2] * coarsest // shorter))
        touched = torch.nn.functional.max_pool2d((small > 0).to(hole), settings.side, 1)
        if float(touched.mean()) <= 1 - KNOWN:
            break
        coarsest = math.ceil(coarsest / settings.factor)
    return coarsest


def times(start: float, steps: int) -> Tensor:
    """`steps` severities from `start` (below 1, where nothing is left of the image) to LAST, denser there, then 0."""
    u = torch.linspace(1, 0, steps, dtype=torch.float64) if steps > 1 else torch.ones(1, dtype=torch.float64)
    return torch.cat([LAST + (min(start, 0.99) - LAST) * u.square(), torch.zeros(1, dtype=torch.float64)])
