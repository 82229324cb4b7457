"""From a recipe to a run in a folder: trained from scratch, or gone on with; with previews, and pictures of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from degrade import Prior
from degrade.files import subfolder
from restore.data import bundled
from restore.data.batch import Batches
from restore.data.images import save_image
from restore.data.sources import Folder
from restore.machine.processes import process_group, usable_device
from restore.machine.provenance import provenance
from restore.pictures import picture
from restore.published.folder import is_imported
from restore.recipe import ALLOWED, Recipe
from restore.run import Run, Specification, check_walk, check_weights, open_trained, specified
from restore.sharing.address import address_of
from restore.sharing.download import local
from restore.storage.checkpoint import Checkpoint, CheckpointError, last_step, open_checkpoint
from restore.storage.lock import locked
from restore.storage.specification import SpecificationError, check_round_trip, decode, own_types
from restore.training.budget import Budget
from restore.training.clock import Clock, Steps
from restore.training.curve import draw_curve
from restore.training.estimate import estimate
from restore.training.folder import removed_at, why_not_new
from restore.training.loop import train as run_steps
from restore.training.trainer import Trainer, TrainingError
from restore.training.trial import decided


def train(
    recipe: Recipe,
    folder: str | Path,
    device: str | None = None,
    minutes: float | None = None,
    on_start: Callable[[], None] | None = None,
    start: str | Path | None = None,
) -> Run:
    """Trains from scratch in `folder`, which is new or empty; returns the run, ready to sample from.

    With `minutes` it ends when these are over, previews and pictures included, whatever the machine: rate, EMA, previews and
    checkpoints follow the clock (`Clock`), and `recipe.training` of the run is the plan stretched to the steps there were.
    `on_start` is called by the first process when everything was checked, before the first step. start: the folder of a run
    whose weights are begun with, of the same network, but for a picture that is told.

    Interrupted (Ctrl-C), it saves, and `resume(folder)` goes on; before the first step nothing is left. Raises ValueError for
    settings that do not go together, for bad input, and for a recipe that could not be read back from a file, before anything
    is written. To open a run with types of your own (an operator, a sampler, a network), name them:
    `open_run(folder, types=[Darken])`.
    """
    plan = Steps() if minutes is None else Clock(Budget(minutes))
    folder = Path(folder)
    device = usable_device(device)
    if not isinstance(recipe.data, Folder) and bundled.is_set(recipe.images):
        raise ValueError(f"{recipe.images} is a set of images, and this recipe learns from one: name a photograph.")
    own = own_types(recipe, ALLOWED)
    check_round_trip(recipe, (*ALLOWED, *own), Recipe, "recipe")
    with process_group(recipe.training.timeout, device) as processes:
        refusal = processes.broadcast(lambda: why_not_new(folder))
        if refusal is not None:
            raise CheckpointError(refusal)
        images, others, paired = processes.broadcast(
            lambda: [path and bundled.located(path) for path in (recipe.images, recipe.others, recipe.paired)]
        )
        recipe = replace(recipe, images=images, others=others, paired=paired)
        recipe = recipe.fitted(device)
        batches, prior = recipe.open(device)
        recipe = decided(
            recipe.with_classes(batches.classes).for_captions(batches.captions), batches, device, processes, minutes
        )
        trainer = recipe.trainer(device, processes)
        if start is not None:
            trainer.begin_with(_trained(local(start)))
        with removed_at(KeyboardInterrupt, folder) if processes.is_main else nullcontext():
            continue_training(recipe, trainer, batches, prior, folder, on_start, plan)
    return open_trained(folder, device, own)


def resume(
    folder: str | Path,
    device: str | None = None,
    types: Sequence[type] = (),
    steps: int | None = None,
    minutes: float | None = None,
) -> Run:
    """Goes on with the training of the run in `folder` from its last checkpoint, to its end; returns the run.

    types: as for `open_run`. A run by the clock has what is left of its minutes.

    steps: train to so many in all; minutes: for so much longer. With either, a run that has ended goes on too, and the rate
    follows the plan of the new total from the step that the run has: one that had fallen along a cosine rises again, to where
    the longer cosine has it. Warm-up, EMA and intervals stay as they are, in steps. Raises ValueError where the run has as many
    steps already.
    """
    if steps is not None and minutes is not None:
        raise ValueError("steps and minutes both say how long to train: give one of them.")
    plan = Steps() if minutes is None else Clock(Budget(minutes), extends=True)
    address = address_of(folder)
    if address is not None:
        raise CheckpointError(f"{address} is shared without what a training goes on with: train anew with --recipe {address}.")
    folder = Path(folder)
    device = usable_device(device)
    checkpoint = _trained(folder)
    if "training.safetensors" not in checkpoint.sums:
        raise CheckpointError(
            f"{folder} holds weights that were imported or shared, without what a training goes on with: train anew with "
            f"--recipe {folder}."
        )
    if checkpoint.folder == folder:
        raise CheckpointError(f"{folder} is a checkpoint, in which nothing is trained: resume the folder of its run.")
    if _is_tuned(checkpoint):
        raise CheckpointError(
            f"{folder} was tuned (DreamBooth, Imagic), on what its recipe does not make: tune anew, for more steps."
        )
    recipe, prior, *_ = specified(checkpoint, types)
    if steps is not None:
        if steps <= checkpoint.step:
            raise ValueError(f"{folder} has {checkpoint.step} steps already: name more in all, such as {2 * checkpoint.step}.")
        recipe = replace(recipe, training=replace(recipe.training, steps=steps))
    budget = _budget(checkpoint, recipe) if steps is None and minutes is None else None
    if budget is not None:
        plan = Clock(budget)
    if checkpoint.step < recipe.training.steps or minutes is not None:
        with process_group(recipe.training.timeout, device) as processes:
            check_weights(checkpoint, recipe)
            batches, _ = recipe.open(device)
            recipe = decided(recipe, batches, device, processes, minutes)
            trainer = recipe.trainer(device, processes)
            trainer.load(checkpoint)
            if budget is not None:
                trainer.place = budget.place
            continue_training(recipe, trainer, batches, prior, folder, plan=plan)
    return open_trained(folder, device, types)


def _trained(folder: Path) -> Checkpoint:
    """The last checkpoint of a run. Raises CheckpointError, in one line, for an imported model, which holds none."""
    if is_imported(folder):
        raise CheckpointError(f"{folder} is a published model that was imported: it can be used, not trained further.")
    return open_checkpoint(folder)


def _is_tuned(checkpoint: Checkpoint) -> bool:
    """Whether it was left by restore/tuning."""
    made = checkpoint.run.get("provenance")
    return isinstance(made, dict) and "tuned" in made


def _budget(checkpoint: Checkpoint, recipe: Recipe) -> Budget | None:
    """The time of a run by the clock, None for one by steps. Raises CheckpointError with one clear line."""
    path = checkpoint.folder / "run.json"
    try:
        budget = decode(checkpoint.run.get("clock"), (Budget,), Budget | None, path="clock")
    except SpecificationError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if budget is not None and budget.place > recipe.training.steps:
        raise CheckpointError(f"{path}: the clock is at {budget.place:g} of a plan of {recipe.training.steps} steps.")
    return budget


def continue_training(
    recipe: Recipe,
    trainer: Trainer,
    batches: Batches,
    prior: Prior,
    folder: Path,
    on_start: Callable[[], None] | None = None,
    plan: Steps = Steps(),  # noqa: B008
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
        return _continued(recipe, trainer, batches, prior, folder, on_start, plan)


def _continued(
    recipe: Recipe,
    trainer: Trainer,
    batches: Batches,
    prior: Prior,
    folder: Path,
    on_start: Callable[[], None] | None,
    plan: Steps,
) -> bool:
    is_main = trainer.processes.is_main
    made = provenance() | {"seed": str(recipe.training.seed)}
    check_walk(recipe, prior)
    shape = batches.images.shape
    specification = Specification(recipe, prior, (shape[1], shape[2], shape[3]), batches.classes, batches.captions)
    stored, tensors = specification.stored(made)

    def drawn(steps: int, progress: bool = False) -> torch.Tensor:
        with trainer.averaged_weights() as restorer:
            run = specification.run(folder, str(folder), restorer, trainer.step, str(trainer.device)).using(steps=steps)
            return picture(run, batches.images, recipe.show, progress, batches.paired, batches.told)

    def save_picture(path: Path, steps: int, progress: bool = False) -> None:
        image = drawn(steps, progress)
        if is_main:
            save_image(image, path, made | {"step": str(trainer.step)})

    def preview(trainer: Trainer) -> None:
        save_picture(subfolder(folder, "previews") / f"step-{trainer.step:08d}.png", quick)

    walk = recipe.sampling.steps
    quick = min(walk, 20)
    expected = plan.begin(trainer, estimate(trainer, batches), lambda: drawn(1), (quick, walk))
    if is_main:
        if on_start is not None:
            on_start()
        print(expected)
    done = run_steps(trainer, batches, folder, stored, tensors, preview, plan)
    if done:
        save_picture(folder / f"{recipe.show}.png", walk, is_main)
        if is_main:
            draw_curve(folder / "metrics.jsonl", folder / "curve.png")
    return done
