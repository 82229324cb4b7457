"""Checkpoints on disk: a folder of safetensors and one JSON file, which appears whole or not at all.

    <run>/checkpoints/step-00000500/
        run.json              the specification, the step, versions
        ema.safetensors       the weights to sample with
        training.safetensors  the raw weights and the optimizer's state
        prior.safetensors     the tensors of the prior, if it has any

Nothing is ever unpickled: a checkpoint from a stranger can hold numbers and settings, not code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class CheckpointError(ValueError):
    """A run folder without a usable checkpoint; the message says what is wrong and what to do."""


class Checkpoint(NamedTuple):
    folder: Path
    step: int
    run: dict[str, Any]  # run.json

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`; empty if there is no such file."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            return {}
        try:
            return load_file(path)
        except SafetensorError as error:
            raise CheckpointError(
                f"{path} is broken ({error}). Remove {self.folder} to go back to the checkpoint before it."
            ) from None


def save_checkpoint(
    run: Path, step: int, specification: dict[str, Any], groups: Mapping[str, Mapping[str, Tensor]], keep: int = 2
) -> Path:
    """Writes the checkpoint of `step`, then removes all but the last `keep`. Each of `groups` is one safetensors file."""
    from safetensors.torch import save_file

    home = Path(run) / "checkpoints"
    final, part = home / _name(step), home / f".{_name(step)}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, tensors in groups.items():
        if tensors:
            save_file({key: value.detach().contiguous().cpu() for key, value in tensors.items()}, part / f"{name}.safetensors")
    text = json.dumps({"format": FORMAT, "step": step, **specification}, indent=2) + "\n"
    (part / "run.json").write_text(text, encoding="utf-8")
    for path in part.iterdir():
        _flush(path)
    if final.exists():  # the same step, saved again
        shutil.rmtree(final)
    part.rename(final)
    _flush(home)
    for old in _steps(home)[:-keep]:
        shutil.rmtree(home / _name(old))
    return final


def open_checkpoint(run: Path) -> Checkpoint:
    """The last checkpoint of a run folder (or the one at `run` itself). Raises CheckpointError with one clear line."""
    run = Path(run)
    if not run.is_dir():
        raise CheckpointError(f"{run} is not a folder: expected a run, such as runs/photo.")
    if (run / "run.json").exists():
        folder = run
    else:
        steps = _steps(run / "checkpoints")
        if not steps:
            raise CheckpointError(f"{run} holds no checkpoint: expected {run / 'checkpoints' / _name(0)} or later.")
        folder = run / "checkpoints" / _name(steps[-1])
    path = folder / "run.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("step"), int):
        raise CheckpointError(f"{path} is not a checkpoint of format {FORMAT}.")
    return Checkpoint(folder, data["step"], data)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _steps(home: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in home.glob("step-*") if (path / "run.json").exists())


def _flush(path: Path) -> None:
    """Forces the file or folder to disk, so that a rename after it cannot come first."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
