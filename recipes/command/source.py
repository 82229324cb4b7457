"""What a command works with: a run, in a folder or at hf://user/run, or a photograph without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from restore.own_types import types_in
from restore.sharing.address import address_of

if TYPE_CHECKING:
    from restore.pipelines.pipeline import Pipeline

P = TypeVar("P", bound="Pipeline")


def opened(source: Path, detail: int = 250, types: Path | None = None, device: str | None = None) -> Pipeline:
    """The pipeline of a run; or of a photograph, whose longer side is reduced to `detail` pixels."""
    if is_run(source):
        from restore.run import open_run

        return open_run(source, device, types_in(types))
    from restore.machine.processes import usable_device
    from restore.pipelines.closed_form import closed_form

    return closed_form(source, detail, device=usable_device(device or "cpu"))


def is_run(source: Path) -> bool:
    """Whether `source` is a run, in a folder or at hf://user/run; else it is a photograph."""
    return address_of(source) is not None or source.is_dir()


def results(run: Path) -> Path:
    """The folder that results go to by default: that of the run; for one at hf://user/run, runs/user-run."""
    address = address_of(run)
    return run if address is None else address.results


def name_of(source: Path) -> str:
    """What results are named after."""
    address = address_of(source)
    return source.stem if address is None else address.name


def worded(pipeline: P, prompt: str | None, negative: str | None) -> P:
    """The pipeline asked for `prompt`, away from `negative`. Raises ValueError for words to one that knows none."""
    if prompt is None and negative is None:
        return pipeline
    from restore.pipelines.network import NetworkPipeline

    if not isinstance(pipeline, NetworkPipeline) or pipeline.words is None:
        given = " and ".join(flag for flag, said in (("--prompt", prompt), ("--negative", negative)) if said is not None)
        raise ValueError(f"{pipeline.identity} was not trained with words: leave out {given}.")
    return pipeline.saying(prompt, negative)
