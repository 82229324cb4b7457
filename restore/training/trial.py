"""Which memory layout and precision train fastest here: real steps of the network, before the first, that leave no trace.

On one CPU a network trains twice as fast contiguous as channels-last, on another it is the other way round; bfloat16 is faster
with instructions for it, and many times slower without. So what the settings leave at auto is measured, named in the recipe,
and stored with it: a run that is resumed, sampled from or taken up by `train --recipe` repeats it. Training is a function of
the recipe that names both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from restore.data.batch import Batches
from restore.machine.allocator import keep_freed_memory, return_freed_memory
from restore.machine.memory import free_memory
from restore.machine.processes import ALONE, Processes
from restore.recipe import Recipe
from restore.restorer import Precision
from restore.training.choice import HOPELESS, STEPS, Choice, Layout, chosen, timed, told
from restore.training.estimate import activations

SHARE = 0.03
"""Of the time of the run, what a trial takes at most."""
LONGEST, MOST_STEPS = 5.0, 16
"""It ends after so many seconds, or steps of the fastest where those are more."""


def decided(
    recipe: Recipe, batches: Batches, device: str, processes: Processes = ALONE, minutes: float | None = None
) -> Recipe:
    """The recipe with its layout and precision named: as they are, or where they are auto by a trial, of which one line tells.

    Where the processes share the weights, or a trial would take more than its share of the steps (a run of some hundreds), it
    is what is usual: channels-last, float32. All processes try, each its part of a batch; all take the choice of the first.
    minutes: how long the run is to take; by default as long as its steps do.
    """
    training = recipe.training
    layouts = (training.layout,) if training.layout != "auto" else _layouts(recipe, processes)
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if training.precision == "auto" else (training.precision,)
    candidates = [Choice(layout, precision) for precision in precisions for layout in layouts]
    usual = candidates[0]
    short = minutes is None and SHARE * training.steps < 2 * STEPS * len(candidates)
    if len(candidates) == 1 or short or (training.shard and processes.count > 1):
        return replace(recipe, training=usual.named(training))
    if "bfloat16" in precisions[1:] and bfloat16_is_hopeless(device):
        candidates = candidates[: len(layouts)]
    piece = processes.shard(training.batch, 0, training.accumulate)

    def limit(step: float) -> float:
        run = training.steps * step if minutes is None else 60 * minutes
        return min(SHARE * run, max(LONGEST, MOST_STEPS * step))

    turns = measured(recipe, batches, device, piece.stop - piece.start, candidates, limit)
    choice, line = processes.broadcast(lambda: (chosen(turns, usual), told(turns, usual)))
    if processes.is_main and line:
        print(line)
    return replace(recipe, training=choice.named(training))


def measured(
    recipe: Recipe,
    batches: Batches,
    device: str,
    images: int,
    candidates: list[Choice],
    limit: Callable[[float], float],
) -> dict[Choice, list[float]]:
    """`timed` for training steps on `images` images each, of a network that is gone afterwards, as its memory is.

    Nothing is measured where these do not fit in the memory: that is said before the first step of the run.
    """
    keep_freed_memory()  # as the loop does
    cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        copy = Copy(recipe, batches, device, images)
        fits = images * activations(copy.trainer, batches) <= free_memory(device)
        turns = timed(candidates, copy.step, limit) if fits else {}
    del copy
    return_freed_memory()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    return turns


class Copy:
    """A trainer of the run's network, from the same weights, to try steps on: its layout and precision can be changed."""

    def __init__(self, recipe: Recipe, batches: Batches, device: str, images: int) -> None:
        training = replace(recipe.training.decided, batch=images, accumulate=1, shard=False, captured=False)
        self.trainer = replace(recipe, training=training).trainer(device)
        self.batches = batches

    def arrange(self, choice: Choice) -> None:
        """Weights, averages and moments in the layout, and the network in the precision, that the trainer would have."""
        trainer = self.trainer
        trainer.settings = choice.named(trainer.settings)
        form = trainer.memory_format
        for x in (*trainer.network.parameters(), *trainer.network.buffers()):
            x.data = _arranged(x.data, form)
        trainer.restorer = replace(trainer.restorer, precision=choice.precision)
        trainer.learner = replace(trainer.learner, precision=choice.precision)
        trainer.ema.average = [_arranged(value, form) for value in trainer.ema.average]
        for moments in trainer.optimizer.state.values():
            moments.update({name: _arranged(value, form) for name, value in moments.items()})

    def step(self, choice: Choice) -> bool:
        """The first training step, again; whether its loss and gradient were finite."""
        trainer = self.trainer
        if (trainer.settings.layout, trainer.settings.precision) != choice:
            self.arrange(choice)
        trainer.step = trainer.place = 0
        try:
            loss, norm = trainer.train_step(self.batches)
            if trainer.device.type == "cuda":
                torch.cuda.synchronize(trainer.device)
            return bool((loss + norm).isfinite())
        finally:
            trainer.optimizer.zero_grad(set_to_none=True)


def bfloat16_is_hopeless(device: str) -> bool:
    """Whether a small convolution, forward and backward, takes `HOPELESS` times as long in bfloat16 as in float32, or fails.

    A processor without instructions for it would spend the whole trial on a single step of the network.
    """

    def seconds(dtype: torch.dtype) -> float:
        x = torch.ones(1, 64, 16, 16, device=device, dtype=dtype, requires_grad=True)
        weight = torch.ones(64, 64, 3, 3, device=device, dtype=dtype, requires_grad=True)
        times = []
        for _ in range(4):
            before = time.perf_counter()
            torch.nn.functional.conv2d(x, weight, padding=1).sum().backward()
            if torch.device(device).type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - before)
        return min(times[1:])

    try:
        return seconds(torch.bfloat16) > HOPELESS * seconds(torch.float32)
    except RuntimeError:
        return True


def _layouts(recipe: Recipe, processes: Processes) -> tuple[Layout, ...]:
    """Those that make a difference: channels-last is one of weights of 4 dimensions, and not of shares of them."""
    if recipe.training.shard and processes.count > 1:
        return ("contiguous",)
    with torch.device("meta"):
        network = recipe.build()
    ranks = {x.ndim for x in (*network.parameters(), *network.buffers())}
    return ("channels-last", "contiguous") if max(ranks, default=0) == 4 else ("contiguous",)


def _arranged(x: torch.Tensor, form: torch.memory_format) -> torch.Tensor:
    """A copy whose strides are those of the layout also where a kernel of 1 x 1 has those of both, which tells convolutions."""
    return torch.empty_like(x, memory_format=form).copy_(x) if x.ndim == 4 else x
