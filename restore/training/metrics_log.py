"""Metrics of a training: lines of JSON in `metrics.jsonl`; on request TensorBoard's or Weights & Biases' records too."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from degrade.files import atomic_write, ordinary, subfolder
from restore.machine.memory import readable

Track = Literal["tensorboard", "wandb"]


class MetricsLog:
    """Writes `<folder>/metrics.jsonl`, from `step` on. Use as a context. A folder that cannot be written to raises OSError."""

    def __init__(self, folder: Path, step: int, track: Track | None, config: dict[str, Any], writes: bool = True) -> None:
        self.path = folder / "metrics.jsonl"
        self.writes = writes
        if writes:
            trim(self.path, step)
            self.others: _TensorBoard | _WandB | None = _OTHERS[track](folder, config) if track else None

    def write(self, line: dict[str, Any]) -> None:
        if not self.writes:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.others is not None:
            self.others.write(line)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writes and self.others is not None:
            self.others.close()


LONGEST = 2**16
"""Characters of a line of metrics, at most."""
LARGEST = 2**26
"""Bytes of all of them: a line every 50 of 10 million steps."""


def trim(metrics: Path, step: int) -> None:
    """Writes the file anew, without the lines after `step`, left by a run that went on past its last checkpoint."""
    with atomic_write(metrics) as part, open(part, "w", encoding="utf-8") as file:
        for line in lines(metrics):
            if line["step"] > step:
                break
            file.write(json.dumps(line) + "\n")


def lines(metrics: Path) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl, their steps rising, without those that a MetricsLog did not write, or not to their end."""
    with suppress(FileNotFoundError):
        if not ordinary(metrics):
            return
        if metrics.stat().st_size > LARGEST:
            raise ValueError(f"{metrics} takes {readable(metrics.stat().st_size)}, more than any run's: remove it.")
        last = -1
        with open(metrics, encoding="utf-8", errors="replace") as file:
            while text := file.readline(LONGEST):
                line = _line(text)
                if line is not None and line["step"] > last:
                    last = line["step"]
                    yield line


def _line(text: str) -> dict[str, Any] | None:
    """A line of metrics: a step, and a loss and a norm of the gradient, which are null where every step was left out."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        return None
    numbers = (line.get(name, "missing") for name in ("loss", "gradient_norm"))
    return line if all(x is None or (isinstance(x, float) and math.isfinite(x)) for x in numbers) else None


class _TensorBoard:
    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ValueError('TensorBoard is not installed: python -m pip install -e ".[tensorboard]"') from None
        self.writer = SummaryWriter(str(subfolder(folder, "tensorboard")))

    def write(self, line: dict[str, Any]) -> None:
        for name, value in line.items():
            if name != "step" and value is not None:
                self.writer.add_scalar(name, value, line["step"])
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


class _WandB:
    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise ValueError('Weights & Biases is not installed: python -m pip install -e ".[wandb]"') from None
        subfolder(folder, "wandb")  # which wandb writes to
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]  # the same when the run is resumed
        self.run = wandb.init(project="thaw", name=folder.name, id=name, resume="allow", dir=str(folder), config=config)

    def write(self, line: dict[str, Any]) -> None:
        self.run.log({name: value for name, value in line.items() if name != "step"}, step=line["step"])

    def close(self) -> None:
        self.run.finish()


_OTHERS: dict[str, type[_TensorBoard] | type[_WandB]] = {"tensorboard": _TensorBoard, "wandb": _WandB}
