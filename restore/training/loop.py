"""The training loop: steps, metrics, previews, checkpoints; what stops it, and what is said then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.data.batch import Batches
from restore.machine.allocator import keep_freed_memory
from restore.machine.memory import exhausted, used_memory
from restore.machine.signals import until_signal
from restore.training.clock import Steps
from restore.training.estimate import activations, what_fits
from restore.training.metrics_log import MetricsLog
from restore.training.trainer import Trainer, TrainingError

PATIENCE = 10
"""So many steps in a row without a finite gradient end a run; where half of the last so many lack one, it ends as diverged."""


def train(
    trainer: Trainer,
    batches: Batches,
    folder: Path,
    specification: dict[str, Any],
    prior: dict[str, Tensor] | None = None,
    on_preview: Callable[[Trainer], None] | None = None,
    plan: Steps = Steps(),  # noqa: B008
    saves: bool = True,
) -> bool:
    """Trains to the end of the plan, with metrics, previews and checkpoints in `folder`; True when it got there.

    Without `saves` there are no checkpoints.

    SIGINT and SIGTERM save and return False; a second SIGINT ends at once. Raises TrainingError, in one line that says what to
    do, where the loss is not finite, memory or disk are full; the checkpoints are sound then.
    """
    keep_freed_memory()
    settings, processes = trainer.settings, trainer.processes
    window = Window(trainer)
    bar = plan.bar(trainer)
    log = MetricsLog(folder, trainer.step, settings.track, specification, processes.is_main)
    with explained(trainer, batches, folder), bar, log, until_signal() as stopped:
        while trainer.place < settings.steps:
            stopping, place = processes.any(stopped), trainer.place
            window.add(*trainer.train_step(batches, plan.advance(trainer)))
            plan.show(bar, trainer)
            stop, done = stopping(), trainer.place == settings.steps
            due, previews = (trainer.place // n > place // n for n in (settings.save_every, settings.preview_every))
            if trainer.step % settings.log_every == 0 or done or stop:
                line = window.line(batches)
                log.write(line)
                window.check(done)
                if line["loss"] is not None:
                    bar.set_postfix(loss=f"{line['loss']:.4f}")
            if saves and (due or done or stop):
                trainer.save(folder, plan.stored(specification, trainer), prior or {})
            if on_preview and (previews or done) and not stop and plan.affords(trainer):
                with window.paused(), plan.preview():
                    on_preview(trainer)
            if stop:
                return done
    return True


class Window:
    """What was seen since the last line of metrics. Numbers stay on the device until then."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.losses: list[Tensor] = []
        self.norms: list[Tensor] = []
        self.since = time.perf_counter()
        self.finite = deque([True] * min(trainer.step, PATIENCE), PATIENCE)

    def add(self, loss: Tensor, norm: Tensor) -> None:
        self.losses.append(loss)
        self.norms.append(norm)

    def line(self, batches: Batches) -> dict[str, Any]:
        """The line of metrics over the steps since the last; steps that were left out count in `skipped_steps` alone."""
        trainer = self.trainer
        losses, norms = torch.stack(self.losses), torch.stack(self.norms)
        losses = trainer.processes.mean(losses)
        good = norms.isfinite() & losses.isfinite()
        seconds = time.perf_counter() - self.since
        self.finite.extend(good.tolist())
        line = {
            "step": trainer.step,
            "loss": float(losses[good].mean()) if bool(good.any()) else None,
            "gradient_norm": float(norms[good].mean()) if bool(good.any()) else None,
            "rate": trainer.rate,
            "images_per_second": round(len(losses) * trainer.settings.batch / seconds, 2),
            "memory_mib": round(used_memory(trainer.device) / 2**20),
            "skipped_steps": int((~good).sum()),
            "skipped_images": len(batches.skipped),
        }
        self.losses, self.norms, self.since = [], [], time.perf_counter()
        return line

    def check(self, done: bool) -> None:
        """Raises TrainingError if the last steps were all left out, or, at the end of the run, half of them."""
        skipped, steps = self.finite.count(False), len(self.finite)
        if skipped == PATIENCE or (done and 2 * skipped >= steps):
            settings = self.trainer.settings
            clip = "" if settings.clip else ", or bound the gradient: --training.clip 1"
            raise TrainingError(
                f"{skipped} of the last {steps} gradients up to step {self.trainer.step} are not finite: the run diverged. "
                "Checkpoints from before are kept, none of this was saved. Lower the rate: "
                f"--training.rate {settings.rate / 3:.1g}{clip}."
            )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside does not count as training time."""
        before = time.perf_counter()
        yield
        self.since += time.perf_counter() - before


@contextmanager
def explained(trainer: Trainer, batches: Batches, folder: Path) -> Iterator[None]:
    """Turns what the machine refuses into a TrainingError that says what to do."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{folder} refuses a file at step {trainer.step} ({error}). The last checkpoint is safe: mend that, then resume."
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not exhausted(error):
            raise
    else:
        return
    trainer.optimizer.zero_grad(set_to_none=True)  # outside of the handler, which would keep the tensors of the failed step
    if trainer.device.type == "cuda":
        torch.cuda.empty_cache()
    advice = f"--training.accumulate {2 * trainer.settings.accumulate} halves what is needed, with the same result."
    if trainer.processes.count == 1:
        advice = what_fits(trainer, activations(trainer, batches))
    raise TrainingError(f"out of memory at step {trainer.step}. {advice}")
