"""Where patches lie, in numbers that count beside their colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


EVEN = 0.15
"""Share of a photograph, at its top and at its bottom, of which all patches lie equally high."""


class Places(Protocol):
    """How alike are the places of a patch of an image and of one of the photograph: by numbers (N, E), in [0, 1]."""

    def known(self, size: tuple[int, int], side: int) -> Tensor:
        """Those of the photograph's patches, of `side` pixels: every one of (height, width)."""

    def asked(self, size: tuple[int, int], side: int, stride: int) -> Tensor:
        """Those of the patches of an image of (height, width), `stride` apart, the last of which may reach beyond it."""


@dataclass(frozen=True)
class Edges:
    """How near a patch lies to the top, bottom, left and right edge: 1 at it, 0 a patch away."""

    def known(self, size: tuple[int, int], side: int) -> Tensor:
        return self.asked(size, side, 1)

    def asked(self, size: tuple[int, int], side: int, stride: int) -> Tensor:
        rows, columns = (_begins(length, side, stride) for length in size)
        away = [rows[:, None], size[0] - side - rows[:, None], columns, size[1] - side - columns]
        return torch.stack([(1 - d / side).clamp(0, 1).expand(len(rows), len(columns)).flatten() for d in away], 1)


EDGES = Edges()


@dataclass(frozen=True)
class Height:
    """How far down the photograph a patch lies, from EVEN, for all near its top or above it, to 1 - EVEN: sky goes on as sky,
    and ground as ground."""

    top: float
    bottom: float
    """Rows between which the photograph lies in an image, as shares of its height; below 0 or above 1 where it is larger."""

    def wider(self, share: float) -> Height:
        """That of the photograph with more of it above and below: so much of an image's height."""
        return Height(self.top - share, self.bottom + share)

    def known(self, size: tuple[int, int], side: int) -> Tensor:
        return WHOLE.asked(size, side, 1)

    def asked(self, size: tuple[int, int], side: int, stride: int) -> Tensor:
        height = (self.bottom - self.top) * size[0]
        rows, columns = (_begins(length, side, stride) for length in size)
        down = (rows + side / 2 - self.top * size[0]) / height
        return down.clamp(EVEN, 1 - EVEN).repeat_interleave(len(columns))[:, None]


WHOLE = Height(0.0, 1.0)
"""Of the photograph itself, and of an image that its height is stretched to."""


def _begins(length: int, side: int, stride: int) -> Tensor:
    """Where patches begin that cover `length` pixels (restore/patches/overlap.py, `pad_to_grid`)."""
    return torch.arange(0, length - side + stride, stride)
