"""Condition dropout: what classifier-free guidance needs of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.checks import bounded
from degrade.random import Stream, seeded, uniform
from models.condition import PARTS, Condition

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ConditionDropout:
    """Probability of dropping each part of the condition (classifier-free guidance, Ho & Salimans 2022, arXiv 2207.12598).

    Parts are dropped independently of each other, but for `whole`; the network learns to do without whatever is dropped.
    Probabilities are in [0, 1]; a part that the images do not have is left alone.
    """

    label: float = 0.1
    """Of the class."""
    pooled: float = 0.1
    """Of the vector."""
    tokens: float = 0.1
    """Of all tokens of an image."""
    image: float = 0.1
    """Of the picture."""
    text: float = 0.1
    """Of the caption."""
    whole: float = 0.0
    """Of all parts at once, beside those: for guidance by one part after the other (InstructPix2Pix, .05 of each)."""

    def __post_init__(self) -> None:
        bounded(self, **dict.fromkeys((*PARTS, "whole"), (0.0, 1.0)))

    def __call__(self, condition: Condition, seed: int, step: int, count: int, shard: slice) -> Condition:
        """The condition of the images `shard` of the `count` of a step, each part dropped where u < p.

        u (count,) is uniform in [0, 1), from (seed, CONDITION_DROPOUT, step) for the label, (.., step, k) for part k > 0, and
        (.., step, 0) for all of them.
        """

        def drawn(*place: int) -> Tensor:
            return uniform((count,), seeded(seed, Stream.CONDITION_DROPOUT, *place))[shard]

        drop = {}
        whole = drawn(step, 0) < self.whole if self.whole else False
        for k, part in enumerate(PARTS):
            if part in condition.parts:
                drop[part] = (drawn(*((step, k) if k else (step,))) < getattr(self, part)) | whole
        return condition.dropped(drop)
