"""Single-image metrics: samples held against the one image that a model learned from, without a pretrained network.

    judge = Judge(training)
    reports = [judge(x) for x in samples]
    mean(reports).coherence, diversity(samples, training)

Each sample is judged on its own: samples that leave something out each do not make up for one another. Patches are compared in
pixels of [0, 1], by root mean square distance.

Coherence and completeness: Simakov et al. 2008, "Summarizing visual data using bidirectional similarity". Sliced Wasserstein
distance of patches over octaves: Karras et al. 2018, arXiv 1710.10196, section 5. Diversity: Shaham et al. 2019, arXiv
1905.01164, section 4. NNFDIV: Nikankin et al. 2022, arXiv 2211.11743, section 7.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from degrade.lazy import torch
from restore.evaluation.patches import Keys, octaves, patches, thinned

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 7
"""Side of the patches of coherence, completeness and SWD, pixels. No image may be smaller than one of them."""
COPIED_SIDE, COPIED_STRIDE = 15, 2
"""Side of the patches of `copied`, and how far apart they lie, pixels."""
FIELD_SIDE = 3
"""Side of the patches of NNFDIV, pixels."""
QUERIES = 10_000
"""Patches that are looked up for coherence and completeness, at most, evenly spread."""
PROJECTED, PROJECTIONS, QUANTILES = 40_000, 256, 2048
"""Of SWD: patches at most, evenly spread; directions; quantiles of each."""


class Report(NamedTuple):
    """Figures of one sample, or their mean over samples (lower is better for the first three)."""

    coherence: float
    """Mean distance of the sample's patches to the nearest training patch, over octaves: artefacts raise it."""
    completeness: float
    """Mean distance of the training patches to the nearest patch of the sample, over octaves: what is left out raises it."""
    swd: float
    """Sliced Wasserstein distance between the patches of the two, over octaves: a wrong mixture of them raises it."""
    copied: float
    """Share of patches whose nearest training patch continues that of their left neighbour: 1 for a copy; nan where no patch
    has one (less than 17 pixels wide), and where an image has no such patch (a side below 15 pixels)."""
    copied_near: float
    """The same to 1 pixel each way: also counts what was copied by fractions of a pixel, or slightly bent."""
    nnfdiv: float
    """Bytes of the compressed nearest neighbour field over bytes of the field: near 0 for a copy or a few large pieces; nan
    where only some rows are looked up."""


def mean(reports: Sequence[Report]) -> Report:
    """The mean of each figure; nan where it is undefined for one of them."""
    return Report(*(sum(values) / len(values) for values in zip(*reports, strict=True)))


def diversity(samples: Sequence[Tensor], training: Tensor) -> float:
    """Standard deviation over samples (C, H_i, W_i), mean over pixels and channels, / that of the training image (C, H, W).

    Samples of another size are brought to that of the training image. nan for one sample, or a training image of one colour.
    """
    if len(samples) < 2 or training.amin() == training.amax():
        return float("nan")
    size = training.shape[-2:]
    same = [x if x.shape[-2:] == size else _resized(x, (size[0], size[1])) for x in samples]
    return float(torch.stack(same).float().std(0).mean() / training.float().std())


class Judge:
    """Figures of samples (C, H_i, W_i) of any size against one training image (C, H, W), all in [-1, 1].

    What they need of the training image is prepared once, at the first use. With `every` > 1 only every so many-th patch (for
    `copied`: row of patches) is looked up, among all others: nearly the same figures sooner. Raises ValueError for an image
    with a side below 7 pixels, for values that are not finite, for a sample with other channels, and for `every` below 1.
    """

    def __init__(self, training: Tensor, every: int = 1):
        check(training)
        if every < 1:
            raise ValueError(f"every so many-th patch is looked up: every is at least 1, got {every}.")
        self.training, self.every = training, every

    def __call__(self, sample: Tensor) -> Report:
        """All figures of one sample."""
        copied, copied_near = self.copied(sample)
        return Report(
            coherence=self.coherence(sample),
            completeness=self.completeness(sample),
            swd=self.swd(sample),
            copied=copied,
            copied_near=copied_near,
            nnfdiv=self.nnfdiv(sample) if self.every == 1 else float("nan"),
        )

    def coherence(self, sample: Tensor) -> float:
        """Mean distance of the sample's 7 x 7 patches to the nearest training patch, over octaves of size.

        A smaller octave of which a patch takes up more than half a side is left out: there is hardly a choice of patches in it.
        """
        self._check(sample)
        return _mean([self._distance(_rows(x), keys) for x, keys in zip(octaves(sample, SIDE), self._keys, strict=False)])

    def completeness(self, sample: Tensor) -> float:
        """Mean distance of the training patches to the nearest patch of the sample, over octaves of size."""
        self._check(sample)
        pairs = zip(self._octaves, octaves(sample, SIDE), strict=False)
        return _mean([self._distance(_rows(x), Keys(_rows(y))) for x, y in pairs])

    def swd(self, sample: Tensor) -> float:
        """Mean distance between the quantiles of the patches of both, in random directions, over octaves of size."""
        self._check(sample)
        parts = zip(octaves(sample, SIDE), self._directions, self._quantiles, strict=False)
        return _mean([float((_quantiles(x, directions) - theirs).abs().mean()) for x, directions, theirs in parts])

    def copied(self, sample: Tensor) -> tuple[float, float]:
        """Share of 15 x 15 patches, 2 pixels apart, whose nearest training patch lies where it continues that of their left
        neighbour, 2 pixels right of it: exactly, and to 1 pixel each way. nan where no patch has a left neighbour."""
        self._check(sample)
        if min(*sample.shape[-2:], *self.training.shape[-2:]) < COPIED_SIDE:
            return float("nan"), float("nan")
        columns = (sample.shape[-1] - COPIED_SIDE) // COPIED_STRIDE + 1
        rows = patches(sample, COPIED_SIDE, COPIED_STRIDE).unflatten(0, (-1, columns))[:: self.every]
        place = self._copied_keys.nearest(rows.flatten(0, 1))[1].view(-1, columns)
        y, x = _coordinates(place, self.training, COPIED_SIDE)
        off = torch.maximum((y[:, 1:] - y[:, :-1]).abs(), (x[:, 1:] - x[:, :-1] - COPIED_STRIDE).abs())
        return float((off == 0).float().mean()), float((off <= 1).float().mean())

    def nnfdiv(self, sample: Tensor) -> float:
        """Compressed size of the nearest neighbour field / its size.

        The field holds, for each 3 x 3 patch of the sample, the displacement to the nearest training patch: (2, H - 2, W - 2),
        rows before columns, one byte a number (modulo 256), compressed by zlib at its default level. So in the authors' code,
        github.com/nivha/nnf_diversity, for videos with 3 x 3 x 3 patches; there PatchMatch finds the field approximately,
        here it is exact. So compare with figures of this function only.
        """
        self._check(sample)
        place = self._field_keys.nearest(patches(sample, FIELD_SIDE))[1]
        there = _coordinates(place, self.training, FIELD_SIDE)
        here = _coordinates(torch.arange(len(place), device=place.device), sample, FIELD_SIDE)
        data = (there - here).remainder(256).to(torch.uint8).cpu().numpy().tobytes()
        return len(zlib.compress(data)) / len(data)

    def _distance(self, rows: Tensor, keys: Keys) -> float:
        return float(keys.nearest(thinned(rows, QUERIES)[:: self.every])[0].mean())

    def _check(self, sample: Tensor) -> None:
        check(sample)
        if len(sample) != len(self.training):
            raise ValueError(f"a sample of {len(sample)} channels, and a training image of {len(self.training)}: convert one.")

    @cached_property
    def _octaves(self) -> list[Tensor]:
        return octaves(self.training, SIDE)

    @cached_property
    def _keys(self) -> list[Keys]:
        return [Keys(_rows(x)) for x in self._octaves]

    @cached_property
    def _copied_keys(self) -> Keys:
        return Keys(patches(self.training, COPIED_SIDE))

    @cached_property
    def _field_keys(self) -> Keys:
        return Keys(patches(self.training, FIELD_SIDE))

    @cached_property
    def _directions(self) -> list[Tensor]:
        """A unit vector for each column: (C 7 7, 256), for each octave."""
        generator = torch.Generator().manual_seed(0)
        values = len(self.training) * SIDE * SIDE
        drawn = [torch.randn(values, PROJECTIONS, generator=generator).to(self.training.device) for _ in self._octaves]
        return [directions / directions.norm(dim=0) for directions in drawn]

    @cached_property
    def _quantiles(self) -> list[Tensor]:
        return [_quantiles(x, directions) for x, directions in zip(self._octaves, self._directions, strict=True)]


def check(x: Tensor) -> None:
    """Raises ValueError unless the image (C, H, W) has a patch of 7 x 7 pixels, all of them finite."""
    if min(x.shape[-2:]) < SIDE:
        height, width = x.shape[-2:]
        raise ValueError(f"an image of {height} x {width} pixels has no {SIDE} x {SIDE} patch: give a larger one.")
    if not x.isfinite().all():
        raise ValueError("an image to judge has values that are not finite: give one in [-1, 1].")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _rows(x: Tensor) -> Tensor:
    return patches(x, SIDE)


def _quantiles(x: Tensor, directions: Tensor) -> Tensor:
    """Those of an image's patches along each direction: (2048, 256)."""
    at = torch.linspace(0, 1, QUANTILES, device=directions.device)
    return torch.quantile((thinned(_rows(x), PROJECTED) @ directions).T.contiguous(), at, dim=1)


def _coordinates(index: Tensor, x: Tensor, side: int) -> Tensor:
    """Row and column (2, ...) of patches in an image (C, H, W) from their numbers (...)."""
    width = x.shape[-1] - side + 1
    return torch.stack([index // width, index % width])


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.nn.functional.interpolate(x[None].float(), size, mode="bicubic", antialias=True)[0]
