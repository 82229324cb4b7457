"""Checkpoints on disk: a folder of safetensors and one JSON file, which appears whole or not at all.

    <run>/checkpoints/step-00000500/
        run.json              the specification, the step, where it came from
        ema.safetensors       the weights to sample with
        training.safetensors  the raw weights and the optimizer's state
        prior.safetensors     the tensors of the prior, if it has any
        SHA256SUMS            what `sha256sum -c` checks, and every load

The folder is written under another name, forced to disk and renamed, so the highest step is always a whole one: no pointer to
the latest can be stale. The files are the same whatever the number of processes, also where these share the weights out among
them (torch.distributed.checkpoint writes and reads them then).

Nothing is ever unpickled: a checkpoint from a stranger can hold numbers and settings, not code. Names, shapes and sizes are
checked against the specification before anything is allocated.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degrade.files import beside, discard, flush, subfolder
from degrade.lazy import torch
from restore.machine.memory import readable
from restore.machine.processes import ALONE, Processes
from restore.storage.reading import CheckpointError, opened, sha256, size, text
from restore.storage.weights import mismatches

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
FILES = ("run.json", "ema.safetensors", "training.safetensors", "prior.safetensors")
SUMS = "SHA256SUMS"
LARGEST_PRIOR = 2**28


class Checkpoint(NamedTuple):
    folder: Path
    step: int
    run: dict[str, Any]  # run.json
    sums: dict[str, str]  # SHA-256 of each file, by name

    def prior(self) -> dict[str, Tensor]:
        """The tensors of the prior."""
        from safetensors import SafetensorError

        path = self.folder / "prior.safetensors"
        if path.name not in self.sums:
            return {}
        if size(path) > LARGEST_PRIOR:
            raise CheckpointError(f"{path} takes {readable(size(path))}, more than any prior: it is not one of this project.")
        with opened(path) as file:
            self._verify(path)
            try:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            except SafetensorError as error:
                raise CheckpointError(f"{path} holds tensors that are not of this project: {error}.") from None

    def check(self, group: str, like: Mapping[str, Tensor]) -> Path:
        """The file of `group` ("ema" or "training"), if its header names what `like` holds: names, shapes, dtypes, and no more
        than the memory takes; and if it is what was saved. Nothing is allocated. Raises CheckpointError with one clear line."""
        path = self.folder / f"{group}.safetensors"
        with opened(path) as file:
            wrong = mismatches(file, like)
        if wrong:
            raise CheckpointError(
                f"{path} does not hold the weights of its own network: {len(wrong)} entries differ "
                f"{[name[:60] for name in wrong[:3]]}."
            )
        self._verify(path)
        return path

    def shapes(self, group: str) -> dict[str, tuple[int, ...]]:
        """Of the tensors of `group`, by name, as its header says."""
        with opened(self.folder / f"{group}.safetensors") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118

    def load(self, group: str, into: Mapping[str, Tensor]) -> None:
        """Copies the tensors of `group` into those of `into`, after `check`; each process its part."""
        path = self.check(group, into)
        if any(map(_is_sharded, into.values())):
            from torch.distributed.checkpoint import HuggingFaceStorageReader, load

            for other in self.folder.glob("*.safetensors"):  # the reader takes whatever lies there
                self._verify(other)
            load(dict(into), storage_reader=HuggingFaceStorageReader(str(self.folder)))
            return
        with opened(path) as file, torch.no_grad():
            for name, tensor in into.items():
                tensor.copy_(file.get_tensor(name))
                if not bool(tensor.isfinite().all()):
                    raise CheckpointError(f"{path} holds weights that are NaN or infinite: {name[:60]}.")

    def verify(self) -> None:
        """Raises CheckpointError with one clear line unless all files are what was saved."""
        for name in self.sums:
            self._verify(self.folder / name)

    def _verify(self, path: Path) -> None:
        if sha256(path) != self.sums.get(path.name):
            raise CheckpointError(
                f"{path} is broken: its content is not what was saved. Remove {self.folder} to go back to the checkpoint "
                "before it."
            )


def save_checkpoint(
    run: Path,
    step: int,
    specification: dict[str, Any],
    groups: Mapping[str, Mapping[str, Tensor]],
    keep: int = 2,
    processes: Processes = ALONE,
) -> Path:
    """Writes the checkpoint of `step`, then removes all but the last `keep`. Each of `groups` is one safetensors file.

    Called by all processes alike. A sound checkpoint of the same step is left as it is. Raises CheckpointError where the disk
    is full or refuses: what was saved before is untouched.
    """
    from safetensors import SafetensorError

    home = subfolder(Path(run), "checkpoints")
    final = home / _name(step)
    if processes.broadcast(lambda: _sound(final)):
        return final
    part = processes.broadcast(lambda: beside(final))
    try:
        if processes.is_main:
            for left in home.glob(".step-*.part"):  # by a crash
                discard(left)
            part.mkdir(parents=True)
        processes.wait()
        for name, tensors in groups.items():
            if tensors:
                _write(tensors, part / f"{name}.safetensors", processes)
        if processes.is_main:
            data = json.dumps({"format": FORMAT, "step": step, **specification}, indent=2) + "\n"
            (part / "run.json").write_text(data, encoding="utf-8")
            seal(part)
            for path in part.iterdir():
                flush(path)
            flush(part)
            discard(final)  # of this step, and broken
            part.rename(final)
            flush(home)
            for old in _steps(home)[:-keep]:
                discard(home / _name(old))
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise CheckpointError(_unsaved(error, home, step, groups)) from None
    processes.wait()
    return final


def seal(folder: Path) -> None:
    """Writes the sums of all files of a checkpoint."""
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.is_file())
    (folder / SUMS).write_text(sums, encoding="utf-8", newline="\n")


def last_step(run: Path) -> int | None:
    """The step of the last checkpoint of a run folder; None where it holds none."""
    return max(_steps(Path(run) / "checkpoints"), default=None)


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
    sums = _sums(folder / SUMS)
    path = folder / "run.json"
    try:
        data = json.loads(text(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT or type(data.get("step")) is not int or data["step"] < 0:
        raise CheckpointError(f"{path} is not a checkpoint of format {FORMAT}.")
    if folder != run and data["step"] != last_step(run):
        raise CheckpointError(f"{path} holds step {str(data['step'])[:20]}: another than its folder is named after.")
    checkpoint = Checkpoint(folder, data["step"], data, sums)
    checkpoint._verify(path)
    return checkpoint


def _write(tensors: Mapping[str, Tensor], path: Path, processes: Processes) -> None:
    """One safetensors file, by the first process; or by all, each its part, where they share the tensors out among them."""
    if any(map(_is_sharded, tensors.values())):
        from torch.distributed.checkpoint import CheckpointException, HuggingFaceStorageWriter, save

        parts = path.with_suffix("")
        writer = HuggingFaceStorageWriter(str(parts), save_distributed=True, enable_consolidation=True)
        try:
            save(dict(tensors), storage_writer=writer)
        except CheckpointException as errors:
            raise OSError("; ".join(str(error) for error, _ in errors.failures.values())) from None
        if processes.is_main:
            next(parts.glob("*.safetensors")).rename(path)
            shutil.rmtree(parts)
    elif processes.is_main:
        from safetensors.torch import save_file

        save_file({name: value.detach().contiguous().cpu() for name, value in tensors.items()}, path)


def _is_sharded(tensor: Tensor) -> bool:
    """Whether the tensor is one of FSDP2's, of which each process holds a part."""
    return hasattr(tensor, "to_local")


def _unsaved(error: Exception, home: Path, step: int, groups: Mapping[str, Mapping[str, Tensor]]) -> str:
    """Why step `step` was not saved, and what to do."""
    kept = _steps(home)
    safe = f"Step {kept[-1]} is safe" if kept else "Nothing was saved before"
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    if not full:
        return f"{home} refuses the checkpoint of step {step} ({error}). {safe}: mend that, then resume the run."
    needed = sum(value.nbytes for tensors in groups.values() for value in tensors.values())
    free = shutil.disk_usage(home.parent).free
    return (
        f"the disk of {home} is full: step {step} takes {readable(needed)}, {readable(free)} are free. {safe}: make room, "
        "then resume the run."
    )


def _sound(folder: Path) -> bool:
    """Whether `folder` is a whole checkpoint whose files are what was saved."""
    if not folder.exists():
        return False
    try:
        checkpoint = open_checkpoint(folder)
        checkpoint.verify()
    except (CheckpointError, OSError):
        return False
    return checkpoint.folder == folder  # and not one below it, behind a link


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _steps(home: Path) -> list[int]:
    numbers = (path.name.removeprefix("step-") for path in home.glob("step-*") if (path / "run.json").exists())
    return sorted(int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 16)


def _sums(path: Path) -> dict[str, str]:
    if not path.exists():
        raise CheckpointError(f"{path} is missing: the checkpoint is incomplete, or older than format {FORMAT}.")
    sums = {}
    for line in text(path).splitlines():
        value, _, name = line.partition("  ")
        if name not in FILES:
            raise CheckpointError(f"{path} names {name[:80]!r}, expected {', '.join(FILES)}.")
        sums[name] = value
    return sums
