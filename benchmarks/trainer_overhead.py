"""What a training step costs beside forward pass, backward pass and optimizer: drawing, degrading, clipping, EMA, metrics.

    python benchmarks/trainer_overhead.py [photo.png]

The whole loop runs with its metrics and a checkpoint in every 500 steps; the clock is read around each of the three, so what is
left is the trainer's own. PatchUNet at its default size, one image whose longer side is 250 px, float32.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import sys  # isort: skip
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from recipes import sindiffusion
from restore.data import bundled
from restore.machine.memory import used_memory
from restore.training.loop import train

STEPS = 50


def main(photo: Path) -> None:
    recipe = sindiffusion.recipe(photo, "paper")
    settings = replace(recipe.training, batch=1, clip=1.0, steps=2, save_every=10**6, preview_every=10**6)
    recipe = replace(recipe, training=settings)
    batches, _ = recipe.open("cpu")
    trainer = recipe.trainer("cpu")
    inside = 0.0

    def timed(call: Callable) -> Callable:
        def counted(*args, **options):
            nonlocal inside
            before = time.perf_counter()
            result = call(*args, **options)
            inside += time.perf_counter() - before
            return result

        return counted

    trainer.learner = replace(trainer.learner, network=timed(trainer.network))
    trainer.optimizer.step = timed(trainer.optimizer.step)  # type: ignore[method-assign]
    torch.Tensor.backward = timed(torch.Tensor.backward)  # type: ignore[method-assign]

    folder = Path(tempfile.mkdtemp())
    save, trainer.save = trainer.save, lambda *_: folder  # type: ignore[method-assign]
    train(trainer, batches, folder, {})  # not counted: first steps
    trainer.settings = replace(settings, steps=2 + STEPS)
    inside, before = 0.0, time.perf_counter()
    train(trainer, batches, folder, {})
    total = time.perf_counter() - before
    before = time.perf_counter()
    save(folder, {}, {})
    saving = (time.perf_counter() - before) / 500 / (inside / STEPS)
    print(describe())
    parameters = sum(p.numel() for p in trainer.parameters.values())
    print(f"PatchUNet of {parameters:,} parameters, one image of about {batches.images.shape[2]} x {batches.images.shape[3]}")
    print(f"forward, backward and optimizer: {inside / STEPS:.3f} s a step")
    print(f"the rest of the loop: {(total - inside) / inside:.2%} of that; a checkpoint every 500 steps: {saving:.2%}")
    print(f"peak memory {used_memory() / 2**20:.0f} MiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else bundled.bundled_photograph())
