"""From a recipe to a run in a folder: trained from scratch, or gone on with; with previews, and pictures of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from degrade import Prior
from degrade.files import subfolder
from restore.data import bundled
from restore.data.batch import Batches
from restore.data.images import save_image
from restore.data.sources import Folder
from restore.machine.processes import best_device, process_group
from restore.machine.provenance import provenance
from restore.pictures import picture
from restore.recipe import ALLOWED, Recipe
from restore.run import Run, Specification, check_weights, open_run, specified
from restore.storage.checkpoint import CheckpointError, last_step, open_checkpoint
from restore.storage.lock import locked
from restore.storage.specification import check_round_trip, encode, own_types
from restore.training.curve import draw_curve
from restore.training.estimate import estimate, pace
from restore.training.loop import train as run_steps
from restore.training.trainer import Trainer, TrainingError


def train(
    recipe: Recipe,
    folder: str | Path,
    device: str | None = None,
    minutes: float | None = None,
    on_start: Callable[[], None] | None = None,
) -> Run:
    """Trains from scratch in `folder`, which must not hold a run yet; returns the run, ready to sample from.

    With `minutes`, for as many steps as this machine takes in that time: rate, EMA and previews are stretched to fit.
    `on_start` is called by the first process when everything was checked, before the first step.

    Interrupted (Ctrl-C), it saves, and `resume(folder)` goes on. Raises ValueError for settings that do not go together, for
    bad input, and for a recipe that could not be read back from a file, before anything is written. To open a run with types of
    your own (an operator, a sampler, a network), name them: `open_run(folder, types=[Darken])`.
    """
    folder = Path(folder)
    device = device or best_device()
    if not isinstance(recipe.data, Folder) and bundled.is_set(recipe.images):
        raise ValueError(f"{recipe.images} is a set of images, and this recipe learns from one: name a photograph.")
    own = own_types(recipe, ALLOWED)
    check_round_trip(recipe, (*ALLOWED, *own), Recipe, "recipe")
    with process_group(recipe.training.timeout) as processes:
        if processes.broadcast((folder / "checkpoints").exists):
            raise CheckpointError(f"{folder} holds a run already: resume it, or name another folder.")
        images, others = processes.broadcast(
            lambda: [path and bundled.located(path) for path in (recipe.images, recipe.others)]
        )
        recipe = replace(recipe, images=images, others=others)
        batches, prior = recipe.open(device)
        recipe = recipe.with_classes(batches.classes)
        if minutes is not None:
            if not minutes > 0:
                raise ValueError(f"minutes is a time > 0, got {minutes}.")
            measured = pace(recipe.trainer(device, processes), batches)
            seconds = processes.broadcast(lambda: measured)
            recipe = replace(recipe, training=recipe.training.lasting(minutes, seconds))
        continue_training(recipe, recipe.trainer(device, processes), batches, prior, folder, on_start)
    return open_run(folder, device, own)


def resume(
    folder: str | Path,
    device: str | None = None,
    types: Sequence[type] = (),
    steps: int | None = None,
    minutes: float | None = None,
) -> Run:
    """Goes on with the training of the run in `folder` from its last checkpoint, to its end; returns the run.

    types: as for `open_run`. steps: train to so many in all; minutes: for about so much longer. With either, a run that has
    ended goes on too. Raises ValueError where it has more steps already.
    """
    folder = Path(folder)
    device = device or best_device()
    checkpoint = open_checkpoint(folder)
    if checkpoint.folder == folder:
        raise CheckpointError(f"{folder} is a checkpoint, in which nothing is trained: resume the folder of its run.")
    recipe, prior, *_ = specified(checkpoint, types)
    if checkpoint.step < recipe.training.steps:
        with process_group(recipe.training.timeout) as processes:
            check_weights(checkpoint, recipe)
            trainer = recipe.trainer(device, processes)
            trainer.load(checkpoint)
            batches, _ = recipe.open(device)
            continue_training(recipe, trainer, batches, prior, folder)
    return open_run(folder, device, types)


def continue_training(
    recipe: Recipe,
    trainer: Trainer,
    batches: Batches,
    prior: Prior,
    folder: Path,
    on_start: Callable[[], None] | None = None,
) -> bool:
    """Runs `trainer` to its end in `folder`, with previews, and pictures of the result; True when it got there.

    Raises TrainingError where another process trains there, or has trained on from the checkpoint that `trainer` is at.
    """
    for name in ("checkpoints", "previews"):
        subfolder(folder, name)
    with locked(folder, trainer.processes):
        last = trainer.processes.broadcast(lambda: last_step(folder))
        if last not in (None, trainer.step):
            raise TrainingError(f"another process has brought {folder} to step {last} meanwhile: resume it from there.")
        return _continued(recipe, trainer, batches, prior, folder, on_start)


def _continued(
    recipe: Recipe,
    trainer: Trainer,
    batches: Batches,
    prior: Prior,
    folder: Path,
    on_start: Callable[[], None] | None,
) -> bool:
    is_main = trainer.processes.is_main
    made = provenance() | {"seed": str(recipe.training.seed)}
    check_round_trip(prior, (*ALLOWED, *own_types(prior, ALLOWED)), Prior, "prior")
    shape = batches.images.shape
    specification = Specification(recipe, prior, (shape[1], shape[2], shape[3]), batches.classes)
    tensors: dict[str, torch.Tensor] = {}
    stored = {
        "recipe": encode(recipe),
        "prior": encode(prior, tensors, "prior"),
        "size": list(specification.size),
        "classes": list(specification.classes),
        "provenance": made,
    }

    def save_picture(trainer: Trainer, path: Path, steps: int | None = None) -> None:
        with trainer.averaged_weights() as restorer:
            run = specification.run(folder, restorer, trainer.step, str(trainer.device)).using(steps=steps)
            image = picture(run, batches.images, recipe.show, progress=steps is None and is_main)
        if is_main:
            save_image(image, path, made | {"step": str(trainer.step)})

    def preview(trainer: Trainer) -> None:
        path = subfolder(folder, "previews") / f"step-{trainer.step:08d}.png"
        save_picture(trainer, path, min(recipe.sampling.steps, 20))

    expected = estimate(trainer, batches)
    if is_main:
        if on_start is not None:
            on_start()
        print(expected)
    done = run_steps(trainer, batches, folder, stored, tensors, preview)
    if done:
        save_picture(trainer, folder / f"{recipe.show}.png")
        if is_main:
            draw_curve(folder / "metrics.jsonl", folder / "curve.png")
    return done
