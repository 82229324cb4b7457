"""How images are made of patches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from degrade.checks import bounded
from restore.patches.octaves import REACH
from restore.patches.overlap import check_window
from samplers import sizes

ALIKE = 0.46
"""Severity from which a finer scale keeps what there is, without balance: from a higher one, one matter spreads."""
LAST = 0.02
"""Severity of the last step of every scale."""


@dataclass(frozen=True)
class PatchSettings:
    """How images are made of patches."""

    side: int = 11
    """Patches are side x side pixels: larger ones keep more of the photograph."""
    detail: int = 7
    """Side of the patches of the last steps at fine scales, pixels: smaller ones copy less."""
    width: float = 0.4
    """Standard deviation of the weights with which overlapping patches are averaged, in sides, [0.01, 10]."""
    balanced: int = 4500
    """Scales of up to as many patches are exact, and use each patch of the photograph as often as it occurs; 0 for none."""
    border: float = 1.0
    """How much it counts, [0, 10], that a patch lies as near to an edge as where it comes from, at scales that are balanced;
    where a picture goes on, that it lies as high up. 1 is as much as another colour."""
    upright: float = 0.0
    """How much it counts, [0, 10], that a patch lies as high up as where it comes from, at scales that are balanced and at the
    coarsest: it holds a scene upright whose pieces lie freely. 1 is as much as another colour."""
    directions: int = 32
    """Random directions along which the patches are brought to the photograph's distribution, near the end of a scale; 0 for
    none."""
    octaves: int = 2
    """How often a picture is halved, at scales that are large enough, for what is coarse in it to be made of patches too."""
    neighbours: int = 400
    """Patches that each patch is compared with, about, beside the means of groups of all others, at scales of more."""
    stride: int = 2
    """Pixels between the patches that are averaged there, at most `detail`."""
    coarsest: int = 17
    """Shorter side of the coarsest scale, pixels: near the side of a patch, the layout of the photograph is kept."""
    factor: float = 0.75
    """Size of a scale relative to the next finer one, in (0, 1)."""
    noise: float = 0.53
    """Severity that each finer scale starts from, in (0.02, 1]: more invents more."""

    def __post_init__(self) -> None:
        check_window(self.side, self.width, self.stride)
        check_window(self.detail, self.width, self.stride)
        if not LAST < self.noise <= 1 or not 0 < self.factor < 1:
            raise ValueError(f"noise lies in ({LAST}, 1] and factor in (0, 1), got {self.noise} and {self.factor}.")
        bounded(
            self,
            neighbours=(1, 10**6),
            coarsest=(1, 65_536),
            balanced=(0, 10_000),
            border=(0, 10),
            upright=(0, 10),
            directions=(0, 4096),
            octaves=(0, 6),
        )

    def levels(self, size: tuple[int, int], photograph: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes of the scales of an image of `size`, coarse to fine; what is smaller, it or the photograph, has a shorter
        side of `coarsest` pixels at the coarsest, and more than a patch."""
        larger = max(1.0, min(size) / min(photograph))
        return sizes(*size, math.ceil(larger * max(self.coarsest, self.side + 1)), self.factor)

    def spanning(self, shorter: int) -> PatchSettings:
        """These settings for a photograph whose layout stays: patches span the `shorter` side of its coarsest scale."""
        coarsest = self.side + 1
        count = math.ceil(math.log(shorter / coarsest, 1 / self.factor))
        return replace(self, coarsest=coarsest, factor=(coarsest / shorter * 1.0001) ** (1 / count)) if count > 0 else self

    def balances(self, photograph: tuple[int, int], size: tuple[int, int], side: int | None = None) -> bool:
        """Whether images of `size` are balanced, with patches of `side` of a photograph of that size."""
        side = side or self.side
        counts = [math.prod(max(0, length - side + 1) for length in lengths) for lengths in (photograph, size)]
        return counts[0] * counts[1] <= self.balanced**2

    def reduced(self) -> PatchSettings:
        """These settings for what was reduced to be mended, once in a step: small patches, and no more than that."""
        return replace(self.local(), side=self.detail, octaves=0, upright=0.0)

    @property
    def reach(self) -> int:
        """Pixels on each side, at most, that a pixel of an estimate depends on, where `local`."""
        patch = self.detail + self.stride
        return self.side + self.stride + sum(2**k * (REACH + patch) for k in range(1, self.octaves + 1))

    @property
    def grid(self) -> int:
        """Estimates are the same in windows whose corners are multiples of this, pixels."""
        return 2**self.octaves * self.stride

    def local(self) -> PatchSettings:
        """These settings where patches need not occur as often as in the photograph, or an image is made in windows."""
        return replace(self, balanced=0, directions=0, noise=min(self.noise, ALIKE))


ORDINARY = PatchSettings()

DIAL = (
    (0.0, 12, 4.0, 0.0, 0.4, 1.0),
    (0.25, ORDINARY.coarsest, ORDINARY.border, 0.0, ORDINARY.noise, 1.0),
    (0.5, 24, 0.5, 0.0, 0.55, 1.0),
    (0.75, 34, 0.2, 1.0, 0.51, 2.0),
    (1.0, 48, 0.0, 1.0, 0.53, 2.0),
)
"""Novelty, and what it stands for: `coarsest`, `border`, `upright`, `noise`, and by what the settings' `directions` are
multiplied: more of them keep the contrast of textures, which the free end is for. Between its rows they are interpolated."""


def dialled(novelty: float, settings: PatchSettings = ORDINARY, scene: bool = True) -> PatchSettings:
    """Settings from near the photograph (0) to freely rearranged (1); ValueError outside of [0, 1]. scene: what is above stays
    above where it is free; not so a texture's, which lies anywhere.

    What each costs: docs/benchmarks.md, "Novelty".
    """
    if not 0 <= novelty <= 1:
        raise ValueError(f"novelty lies in [0, 1], from near the photograph to freely rearranged, got {novelty}.")
    above = next(i for i, row in enumerate(DIAL) if i and novelty <= row[0])
    (low, *begin), (high, *end) = DIAL[above - 1], DIAL[above]
    share = (novelty - low) / (high - low)
    coarsest, border, upright, noise, factor = (a + share * (b - a) for a, b in zip(begin, end, strict=True))
    directions = round(factor * settings.directions)
    upright = upright if scene else 0.0
    return replace(settings, coarsest=round(coarsest), border=border, upright=upright, noise=noise, directions=directions)
