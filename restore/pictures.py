"""What a pipeline shows of itself, in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from restore.data.images import grid
from restore.pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from torch import Tensor


def picture(
    pipeline: Pipeline,
    clean: Tensor,
    show: Literal["samples", "restorations"],
    progress: bool = True,
    paired: Tensor | None = None,
) -> Tensor:
    """Clean images (N, C, H, W) beside samples; or rows of clean, degraded, direct and restored, at severities from 1/4 to 1,
    or of those that they are `paired` with: (C, height, width)."""
    if show == "samples":
        return grid([clean[0], *pipeline.generate(count=4, progress=progress)], 5, at_least=64)
    rows = []
    if paired is not None:
        for x0, y in zip(clean[:4], paired, strict=False):
            direct, restored = pipeline.direct(y, 1.0), pipeline.restore(y, 1.0, progress=progress)
            rows += [x0.cpu(), y.cpu(), direct, restored]
        return grid(rows, 4, at_least=64)
    for i, severity in enumerate((0.25, 0.5, 0.75, 1.0)):
        rows += list(pipeline.degrade_and_restore(clean[i % len(clean)], severity, seed=i, progress=progress))
    return grid(rows, 4, at_least=64)
