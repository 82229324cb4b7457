"""What a pipeline shows of itself, in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from models import Condition
from restore.data.images import grid
from restore.pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS, GAP = 5, 4
"""Of a picture of samples: images in its row, and pixels between them."""


Show = Literal["samples", "restorations", "reconstructions", "enlargements", "instructions"]


def picture(
    pipeline: Pipeline,
    clean: Tensor,
    show: Show,
    progress: bool = True,
    paired: Tensor | None = None,
    told: Condition | None = None,
) -> Tensor:
    """One picture (C, height, width), of clean images (N, C, H, W) and what `show` says of them:

    samples: one of them, then samples;
    restorations: rows of clean, degraded, direct and restored, at severities from 1/4 to 1, or of what they are `paired` with;
    reconstructions: images above what one call of the restorer makes of them;
    enlargements: rows of image, the picture that a sample is `told` of it, and the sample;
    instructions: rows of the picture before, the sample, and the picture after, as it should be.
    """
    if show in ("enlargements", "instructions"):
        assert told is not None and told.image is not None
        seen = pipeline.decoded(told.image, clean.shape[-2:])
        made = pipeline.generate(tuple(clean.shape[-2:]), len(seen), condition=told, progress=progress)  # type: ignore[arg-type]
        columns = (clean.cpu(), seen, made) if show == "enlargements" else (seen, made, clean.cpu())
        return grid([x for row in zip(*columns, strict=False) for x in row], 3, at_least=64).clamp(-1, 1)
    if show == "samples":
        samples = pipeline.generate(count=COLUMNS - 1, progress=progress)
        return grid([clean[0], *samples], COLUMNS, GAP, at_least=64)
    if show == "reconstructions":
        return grid([*clean[:8].cpu(), *pipeline.direct(clean[:8], 1.0)], len(clean[:8]), at_least=64)
    rows = []
    if paired is not None:
        for x0, y in zip(clean[:4], paired, strict=False):
            direct, restored = pipeline.direct(y, 1.0), pipeline.restore(y, 1.0, progress=progress)
            rows += [x0.cpu(), y.cpu(), direct, restored]
        return grid(rows, 4, at_least=64)
    for i, severity in enumerate((0.25, 0.5, 0.75, 1.0)):
        rows += list(pipeline.degrade_and_restore(clean[i % len(clean)], severity, seed=i, progress=progress))
    return grid(rows, 4, at_least=64)


def without_first(samples: Tensor) -> Tensor | None:
    """The picture of samples without the training image that it begins with; None for a picture of another make."""
    width, rest = divmod(samples.shape[2] - GAP, COLUMNS)
    return samples[:, :, width:] if not rest and width > GAP else None
