"""A cascade: small images by one pipeline, made larger by another (Ho et al. 2022, arXiv 2106.15282)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.random import Stream, normal, seeded
from restore.data.enlarging import Enlarging, enlarged
from restore.pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from torch import Tensor

    from models import Condition

LEVEL = 0.02
"""Of the noise that a small picture gets before it is enlarged: Imagen's default."""


def enlarge(
    stage: Pipeline, small: Tensor, level: float = LEVEL, seed: int = 0, batch: int = 4, progress: bool = True
) -> Tensor:
    """Small images (B, C, h, w) as a stage of a cascade makes them anew, larger; image i has the seed `seed + i`.

    Raises ValueError for a pipeline that was not trained to enlarge, and for a level that it was not trained with.
    """
    condition = told(stage, small, level, seed)
    assert condition.image is not None
    height, width = condition.image.shape[-2:]
    return stage.generate((height, width), len(small), seed, condition=condition, batch=batch, progress=progress)


def told(stage: Pipeline, small: Tensor, level: float = LEVEL, seed: int = 0) -> Condition:
    """What `stage` is told of small images (B, C, h, w) to enlarge them; raises ValueError as `enlarge` does."""
    import torch

    data = stage.data
    if not isinstance(data, Enlarging):
        raise ValueError(f"{stage.identity} was not trained to enlarge pictures: name a run of cascade.py.")
    if not 0 <= level <= data.most:
        raise ValueError(f"the level of noise lies in [0, {data.most:g}], as in training, got {level:g}.")
    noise = normal(small.shape, [seeded(seed + i, Stream.PARTNER) for i in range(len(small))])
    size = round(data.size * min(small.shape[-2:]) / data.small)
    return enlarged(small, size, torch.full((len(small),), level), noise)
