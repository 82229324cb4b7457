"""What a training will take, measured on one step of it that changes nothing: time, memory, and what would fit."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from restore.data.batch import Batches
from restore.machine.memory import free_memory, readable, used_memory
from restore.machine.terminal import counted
from restore.training.trainer import Trainer, TrainingError


class Estimate(NamedTuple):
    steps: int
    seconds: float
    """Of one step."""
    memory: float
    """At the peak, bytes."""
    checkpoint: int
    """Of one checkpoint, bytes."""
    minutes: float | None = None
    """That all is to take, if it goes by the clock."""

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.steps * self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        long = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        steps = f"{counted(self.steps, 'step')} of about {self.seconds:.3g} s: {long}"
        if self.minutes is not None:
            steps = f"about {counted(self.steps, 'step')} in {max(0.0, self.minutes):.3g} min"
        return f"{steps}; memory about {readable(self.memory)}; a checkpoint takes {readable(self.checkpoint)}"


def estimate(trainer: Trainer, batches: Batches) -> Estimate:
    """Runs one piece of the next step forward and backward. Raises TrainingError if a piece would not fit in memory."""
    settings = trainer.settings
    images = settings.batch // (trainer.processes.count * settings.accumulate)
    image = activations(trainer, batches)
    if image * images > free_memory(trainer.device):
        raise TrainingError(f"this needs more memory than there is. {what_fits(trainer, image)}")
    come_to(trainer.device)
    before = time.perf_counter()
    trainer.loss(batches, trainer.processes.shard(settings.batch, 0, settings.accumulate)).backward()
    come_to(trainer.device)
    seconds = (time.perf_counter() - before) * settings.accumulate
    trainer.optimizer.zero_grad(set_to_none=True)
    saved = sum(value.nbytes for group in trainer.state().values() for value in group.values())
    return Estimate(settings.steps - trainer.step, seconds, used_memory(trainer.device), saved)


def come_to(device: torch.device) -> None:
    """Waits until a GPU has done what it was asked for: for clocks."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def activations(trainer: Trainer, batches: Batches) -> int:
    """Bytes that the backward pass of one image keeps. All processes call it alike."""
    kept: dict[int, int] = {p.untyped_storage().data_ptr(): 0 for p in map(_local, trainer.parameters.values())}

    def keep(x: Tensor) -> Tensor:
        storage = _local(x).untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = trainer.loss(batches, slice(0, 1))
    loss.backward()
    trainer.optimizer.zero_grad(set_to_none=True)
    return sum(kept.values())


def what_fits(trainer: Trainer, image: int) -> str:
    """Advice, given what one image takes: more and smaller pieces, which change nothing of the result, or smaller images."""
    settings = trainer.settings
    free = 0.8 * free_memory(trainer.device)
    shard = settings.batch // trainer.processes.count
    needs = f"An image takes about {readable(image)}, and {readable(free)} can be used"
    for pieces in (pieces for pieces in range(settings.accumulate + 1, shard + 1) if shard % pieces == 0):
        if image * (shard // pieces) <= free:
            return f"{needs}: pieces of {shard // pieces} fit, with the same result: --training.accumulate {pieces}."
    if image <= free:
        return f"{needs}: close other programs, or choose smaller images or a smaller network."
    return f"{needs}: take images or crops with sides of {100 * math.sqrt(free / image):.0f}% of theirs, or a smaller network."


def _local(x: Tensor) -> Tensor:
    return x.to_local() if hasattr(x, "to_local") else x
