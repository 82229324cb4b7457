"""Peak memory of training against that of the bare forward and backward pass, each in a process of its own.

    python benchmarks/training_memory.py photo.png

PatchUNet at its default size on one image whose longer side is 250 px, float32; 6 steps at one size.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import sys  # isort: skip
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from processes import alone

from recipes import sindiffusion
from restore.data import bundled
from restore.machine.memory import used_memory
from restore.training.loop import train


def whole(photo: Path) -> int:
    """The training loop as it is: drawing, optimizer, EMA, metrics, a checkpoint."""
    recipe = sindiffusion.recipe(photo, "paper")
    data = replace(recipe.data, rescale=(1.0, 1.0))  # type: ignore[type-var]
    training = replace(recipe.training, batch=1, steps=6)
    recipe = replace(recipe, data=data, training=training)
    batches, _ = recipe.open("cpu")
    train(recipe.trainer("cpu"), batches, Path(tempfile.mkdtemp()), {})
    return used_memory()


def bare(photo: Path) -> int:
    """The network's forward and backward pass, and nothing else."""
    recipe = sindiffusion.recipe(photo, "paper")
    image = recipe.data.read(photo)[None]
    x = image[..., : image.shape[2] // 4 * 4, : image.shape[3] // 4 * 4].contiguous()
    network = recipe.network.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for _ in range(6):
        network(x, torch.full((1,), 0.5)).square().mean().backward()
    return used_memory()


def main(photo: Path) -> None:
    peaks = [alone(work.__name__, work, photo) / 2**20 for work in (bare, whole)]
    print(f"{describe()}\nbare {peaks[0]:.0f} MiB, training {peaks[1]:.0f} MiB: {peaks[1] / peaks[0]:.3f} times")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else bundled.bundled_photograph())
