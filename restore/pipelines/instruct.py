"""Pictures changed as an instruction says, by a network that is told the picture and the words (Brooks et al. 2022,
InstructPix2Pix, arXiv 2211.09800)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from degrade.lazy import torch
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.pipeline import Pipeline
from restore.pipelines.published import MASKED
from restore.space import grown

if TYPE_CHECKING:
    from torch import Tensor


def instruct(
    pipeline: NetworkPipeline,
    pictures: Tensor,
    instruction: str | Sequence[str],
    *,
    seed: int = 0,
    batch: int = 16,
    progress: bool = True,
) -> Tensor:
    """Pictures (B, C, H, W) in [-1, 1] as `instruction`, one for all or one for each, changes them: (B, C, H, W).

        x0 = R(x_t) + s_I (R(x_t, picture) - R(x_t)) + s_T (R(x_t, picture, words) - R(x_t, picture))

    (eq. 3), s_T and s_I being the pipeline's guidance and picture_guidance. Image i has the seed `seed + i`. Raises ValueError
    in one line for a pipeline that was not trained with both, for an empty instruction and for pictures that do not fit.
    """
    check_instructed(pipeline, instruction)
    if pictures.ndim != 4 or pictures.shape[1] != pipeline.size[0] or not bool(pictures.isfinite().all()):
        raise ValueError(
            f"pictures are finite numbers (B, {pipeline.size[0]}, H, W) in [-1, 1], got the shape {tuple(pictures.shape)}."
        )
    count, size = len(pictures), (pictures.shape[-2], pictures.shape[-1])
    lines = [instruction] * count if isinstance(instruction, str) else list(instruction)
    if len(lines) != count:
        raise ValueError(f"{len(lines)} instructions for {count} pictures: give one, or one for each.")
    height, width = (side * pipeline.space.stride for side in pipeline.padded(size))
    with torch.no_grad():
        told = pipeline.told_of(grown(pictures, (height, width)))
    condition = pipeline.conditions(range(count), lines)._replace(image=told)
    return pipeline.generate(size, count, seed, condition=condition, batch=batch, progress=progress)


def check_instructed(pipeline: Pipeline, instruction: str | Sequence[str]) -> None:
    """Raises ValueError, in one line, for a pipeline that is not told words and a picture, and for no instruction."""
    follows = isinstance(pipeline, NetworkPipeline) and pipeline.words is not None and "image" in pipeline.restorer.accepts
    if not follows or getattr(pipeline.restorer.network, "picture", 0) == MASKED:  # type: ignore[attr-defined]
        raise ValueError(
            f"{pipeline.identity} follows no instructions, it is not told words and a picture: take a run of instruct.py, or a "
            "published InstructPix2Pix."
        )
    if any(not line.strip() for line in ([instruction] if isinstance(instruction, str) else instruction)):
        raise ValueError("say in words what is to be changed: the instruction is empty.")
