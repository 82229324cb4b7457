"""`train` and `resume`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

import tyro
from tyro.conf import Positional

from degrade import Gaussian
from degrade.checks import bounded
from recipes.command.next_steps import say_how_to_go_on, say_what_is_saved, say_what_next
from recipes.command.outputs import check_folder, first_free, plain_stem
from recipes.command.pasteable import pasteable
from recipes.command.seen import say_seen
from restore.machine.processes import here, process_group
from restore.own_types import kebab, types_in
from restore.recipe import Recipe
from restore.storage.checkpoint import last_step
from restore.training.budget import Budget

Preset = Literal["fast", "paper"]
P = TypeVar("P", bound=str)
"""The names of a recipe's presets: the annotation of its `preset`."""


@dataclass(frozen=True)
class Train(Generic[P]):
    """Learn from images. Flags after the images change single settings of the preset."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    preset: P
    """Minutes on two CPU cores, or as published: the recipe's file says what each one is."""
    stored: Annotated[Path | None, tyro.conf.arg(name="recipe")] = None
    """A run, its run.json, or hf://user/run, whose recipe is taken up in place of a preset; images and settings given here
    replace its own."""
    start: Path | None = None
    """A run, or hf://user/run, whose weights are begun with: of the same network, but for a picture that is told."""
    out: Path | None = None
    """Folder of the run (default: below runs/, named after the images and the degradation)."""
    minutes: float | None = None
    """Train for so long, previews and pictures included, whatever the machine (default: for --training.steps)."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, to be named like the others; it is executed."""
    device: str | None = None
    """Where it runs, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        if self.minutes is not None:
            Budget(self.minutes)
        if self.out == Path():
            raise ValueError("out is empty, or the current folder: --out names a folder for the run, such as runs/photo.")

    def __call__(self) -> None:
        train(self.recipe, self.out, self.minutes, self.device, self.start)


@dataclass(frozen=True)
class Resume:
    """Go on with a run from its last checkpoint: one that was interrupted, or with --steps or --minutes one that has ended.

    With either, the rate follows the plan of the new total: one that had fallen along a cosine rises again.
    """

    run: Positional[Path]
    """Folder of the run."""
    steps: int | None = None
    """Train to so many steps in all (default: as many as were asked for)."""
    minutes: float | None = None
    """Train for so much longer."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""
    device: str | None = None
    """Where it runs, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        if self.minutes is not None:
            Budget(self.minutes)
        if self.steps is not None:
            bounded(self, steps=(1, 10**8))

    def __call__(self) -> None:
        from restore.training.session import resume

        before = last_step(self.run)
        run = resume(self.run, self.device, types_in(self.types), self.steps, self.minutes)
        if here().is_main:
            if run.step == before == run.recipe.training.steps:
                say_how_to_go_on(run)
            say_what_next(run)


def train(
    recipe: Recipe,
    out: Path | None,
    minutes: float | None = None,
    device: str | None = None,
    start: Path | None = None,
) -> None:
    """Trains `recipe` in `out`, or in the first free folder of its name below runs/, and leaves a picture there."""
    from restore.training import session

    def announce() -> None:
        images = Path(recipe.images)
        if images.is_file():
            say_seen(images, recipe.data.read(images), "--data.size")
        print(f"training {Path(recipe.images).name} in {folder}; Ctrl-C saves, and this goes on: {pasteable('resume', folder)}")

    with process_group(recipe.training.timeout, device) as processes:
        folder = processes.broadcast(lambda: out or first_free(Path("runs") / _name(recipe)))
        try:
            run = session.train(recipe, check_folder(folder), device, minutes, announce, start)
        except KeyboardInterrupt:
            if processes.is_main:
                say_what_is_saved(folder)
            raise
    if processes.is_main:
        say_what_next(run)


def _name(recipe: Recipe) -> str:
    """Of the run: after the images, and the degradation where images cannot be generated from noise."""
    stem = plain_stem(Path(recipe.images))
    if recipe.show == "reconstructions":
        return f"{stem}-autoencoder"
    return stem if isinstance(recipe.degradation, Gaussian) else f"{stem}-{kebab(type(recipe.degradation).__name__)}"
