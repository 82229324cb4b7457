"""What a command works with: a run in a folder, or a photograph without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from restore.own_types import types_in

if TYPE_CHECKING:
    from restore.pipelines.pipeline import Pipeline

P = TypeVar("P", bound="Pipeline")


def opened(source: Path, detail: int = 250, types: Path | None = None, device: str | None = None) -> Pipeline:
    """The pipeline of a run's folder; or of a photograph, whose longer side is reduced to `detail` pixels."""
    if source.is_dir():
        from restore.run import open_run

        return open_run(source, device, types_in(types))
    from restore.machine.processes import usable_device
    from restore.pipelines.closed_form import closed_form

    usable_device(device or "cpu")  # it is not used: the closed form works on the CPU
    return closed_form(source, detail)


def worded(pipeline: P, prompt: str | None, negative: str | None) -> P:
    """The pipeline as it leads away from `negative`. Raises ValueError for words to one that knows none."""
    if prompt is None and negative is None:
        return pipeline
    if getattr(pipeline, "words", None) is None:
        raise ValueError(f"{pipeline.identity} was not trained with words: leave out --prompt and --negative.")
    return pipeline.avoiding(negative) if negative else pipeline  # type: ignore[attr-defined]
