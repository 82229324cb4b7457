"""What every recipe is made of: the dataclass that is the Python interface, the command line and the checkpoint's JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import AvoidSubcommands, Positional

from degrade import (
    OPERATORS,
    PRIORS,
    SCHEDULES,
    Compose,
    Curve,
    Degradation,
    GaussianNoise,
    ImageMixing,
    Prior,
    Stage,
    Thumbnails,
)
from degrade.checks import bounded
from degrade.files import subfolder
from degrade.lazy import torch
from degrade.random import Stream, globally_seeded
from models import NETWORKS, STEMS, NetworkSettings, PatchUNetConfig, Stem
from recipes import datasets
from recipes.own_types import choice
from restore import SOURCES, TIMES, Crops, Folder, Objective, OneImage, Source, Training
from restore.machine.processes import ALONE, Processes, best_device, process_group
from restore.machine.provenance import provenance
from restore.parametrisation import Prediction
from restore.storage.specification import check_round_trip, encode, own_types
from samplers import DDIM, GRIDS, SAMPLERS, Resampled, Sampler

if TYPE_CHECKING:
    from recipes.run import Run
    from restore.data.sources import Batches
    from restore.training.trainer import Trainer


@dataclass(frozen=True)
class Sampling:
    """How a run samples, unless it is told otherwise."""

    sampler: AvoidSubcommands[Annotated[Sampler, choice(Sampler, SAMPLERS)]] = field(default_factory=DDIM)
    """The step rule."""
    steps: int = 25
    """Steps of the walk back."""
    clip: bool = True
    """Whether the restorer's estimate is held within [-1, 1] at every step."""
    pad_to: int = 1
    """Sides are padded with zeros to a multiple of this for the restorer."""
    show: Literal["samples", "restorations"] = "samples"
    """What previews, and the end of a training, show."""
    guidance: float = 1.0
    """How strongly a class counts: 1 as learned, more for plainer examples of it (classifier-free guidance)."""
    guided: tuple[float, float] = (0.0, 1.0)
    """Guidance acts at severities above the first and up to the second."""

    def __post_init__(self) -> None:
        if not (self.guidance >= 0 and 0 <= self.guided[0] < self.guided[1] <= 1):
            raise ValueError(f"guidance is >= 0, its severities rise within [0, 1]; got {self.guidance} and {self.guided}.")
        if self.steps < 1 or self.pad_to < 1:
            raise ValueError(f"steps and pad_to are at least 1, got {self.steps} and {self.pad_to}.")
        bounded(self, steps=(1, 100_000), pad_to=(1, 256), guidance=(0, 1000))


@dataclass(frozen=True)
class Recipe:
    """Everything that a run is made of, as plain numbers."""

    images: Positional[Path]
    """The photograph, or the folder of images, to learn from; or the name of a set in recipes/datasets.py."""
    degradation: Annotated[Degradation, choice(Degradation, OPERATORS)] = field(default_factory=GaussianNoise)
    """What is to be undone."""
    data: AvoidSubcommands[Source] = field(default_factory=Crops)
    """How training images are cut."""
    network: AvoidSubcommands[Annotated[NetworkSettings, choice(NetworkSettings, NETWORKS)]] = field(
        default_factory=PatchUNetConfig
    )
    """The network."""
    stem: AvoidSubcommands[Stem | None] = None
    """What makes images smaller and deeper for the network, and its output an image again."""
    prediction: Prediction = "v"
    """What the network predicts."""
    objective: Objective = field(default_factory=Objective)
    """The distance that training lowers."""
    training: Training = field(default_factory=Training)
    """Steps, batches, rates."""
    sampling: Sampling = field(default_factory=Sampling)
    """How to sample by default."""
    others: Path | None = None
    """Images of a second set, for image mixing to mix in (default: other images of the first)."""
    prior: AvoidSubcommands[Thumbnails | None] = None
    """Where generation starts (default: the degradation's own prior, fitted to the images)."""

    def __post_init__(self) -> None:
        if getattr(self.data, "labelled", False) and not hasattr(self.network, "conditions"):
            raise ValueError(
                f"{type(self.network).__name__} takes no classes: choose UNetConfig or DiTConfig, or leave out labelled."
            )
        if self.others is not None and not isinstance(self.degradation, ImageMixing):
            raise ValueError(
                f"a second set of images serves image mixing only, not {type(self.degradation).__name__}: leave out others."
            )

    def train(
        self,
        folder: str | Path,
        device: str | None = None,
        minutes: float | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> Run:
        """Trains from scratch in `folder`, which must not hold a run yet; returns the run, ready to sample from.

        With `minutes`, for as many steps as this machine takes in that time: rate, EMA and previews are stretched to fit.
        `on_start` is called by the first process when everything was checked, before the first step.

        Interrupted (Ctrl-C), it saves, and `recipes.run.resume(folder)` goes on. Raises ValueError for settings that do
        not go together, for bad input, and for a recipe that could not be read back from a file, before anything is written.
        To open a run with types of your own (an operator, a sampler, a network), name them: `open_run(folder, types=[Darken])`.
        """
        from recipes.run import open_run
        from restore.storage.checkpoint import CheckpointError

        folder = Path(folder)
        device = device or best_device()
        if not isinstance(self.data, Folder) and datasets.is_set(self.images):
            raise ValueError(f"{self.images} is a set of images, and this recipe learns from one: name a photograph.")
        own = own_types(self, ALLOWED)
        check_round_trip(self, (*ALLOWED, *own), Recipe, "recipe")
        with process_group(self.training.timeout) as processes:
            if processes.broadcast((folder / "checkpoints").exists):
                raise CheckpointError(f"{folder} holds a run already: resume it, or name another folder.")
            images, others = processes.broadcast(
                lambda: [path and datasets.located(path) for path in (self.images, self.others)]
            )
            recipe = replace(self, images=images, others=others)
            batches, prior = recipe.open(device)
            recipe = recipe.told(batches.classes)
            if minutes is not None:
                recipe = recipe.lasting(minutes, batches, device, processes)
            continue_training(recipe, recipe.trainer(device, processes), batches, prior, folder, on_start)
        return open_run(folder, device, own)

    def open(self, device: str) -> tuple[Batches, Prior]:
        """The training images, and the prior fitted to them. Raises ImageError with one clear line for bad files."""
        data = self.data
        if isinstance(data, OneImage | Crops):  # no part of an image is learned with padding around it
            data = replace(data, multiple=math.lcm(data.multiple, self.stride))
        batches = data.open(self.images, device)
        channels = batches.images.shape[1]
        if channels != self.network.image_channels:
            raise ValueError(
                f"the images have {channels} channels, the network takes {self.network.image_channels}: "
                f"--network.image-channels {channels}."
            )
        if self.others is not None:
            others = data.open(self.others, device)
            return batches._replace(others=others.draw), self.degradation.prior(others.images)
        if self.prior is not None:
            return batches, self.prior.fit(batches.images, self.degradation)
        return batches, self.degradation.prior(batches.images)

    def told(self, classes: tuple[str, ...]) -> Recipe:
        """The same recipe with a network that takes these classes."""
        if not classes or self.conditions == len(classes):
            return self
        if self.conditions:
            raise ValueError(f"the images lie in folders of {len(classes)} classes, the network takes {self.conditions}.")
        return replace(self, network=replace(self.network, conditions=len(classes)))  # type: ignore[type-var]

    @property
    def conditions(self) -> int:
        """Classes that the network takes."""
        return getattr(self.network, "conditions", 0)

    @property
    def stride(self) -> int:
        """Sides that are a multiple of this, pixels, are what the network within its stem works on; others are padded."""
        return self.network.stride * (self.stem.stride if self.stem else 1)

    def build(self) -> torch.nn.Module:
        """The network, within its stem if there is one, with weights of torch's global generator."""
        return self.stem.build(self.network) if self.stem else self.network.build()

    def lasting(self, minutes: float, batches: Batches, device: str, processes: Processes = ALONE) -> Recipe:
        """The same recipe with as many steps as this machine takes in `minutes`."""
        from restore.training.estimate import pace

        if not minutes > 0:
            raise ValueError(f"minutes is a time > 0, got {minutes}.")
        measured = pace(self.trainer(device, processes), batches)
        return replace(self, training=self.training.lasting(minutes, processes.broadcast(lambda: measured)))

    def trainer(self, device: str, processes: Processes = ALONE) -> Trainer:
        """The trainer of this recipe at step 0, weights drawn from the seed."""
        from restore.training.trainer import Trainer

        with globally_seeded(self.training.seed, Stream.WEIGHTS):
            network = self.build()
        return Trainer(network, self.degradation, self.prediction, self.objective, self.training, device, processes)


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
    from restore.storage.checkpoint import last_step
    from restore.storage.lock import locked
    from restore.training.trainer import TrainingError

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
    from recipes.run import Run
    from restore.data.images import save_image
    from restore.training.curve import draw_curve
    from restore.training.estimate import estimate
    from restore.training.loop import train

    first = trainer.processes.is_main
    made = provenance() | {"seed": str(recipe.training.seed)}
    check_round_trip(prior, (*ALLOWED, *own_types(prior, ALLOWED)), Prior, "prior")
    tensors: dict[str, torch.Tensor] = {}
    specification = {
        "recipe": encode(recipe),
        "prior": encode(prior, tensors, "prior"),
        "size": list(batches.images.shape[1:]),
        "classes": list(batches.classes),
        "provenance": made,
    }

    def picture(trainer: Trainer, path: Path, steps: int | None = None) -> None:
        with trainer.averaged_weights() as restorer:
            size = (batches.images.shape[1], batches.images.shape[2], batches.images.shape[3])
            run = Run(folder, recipe, restorer, prior, size, batches.classes, trainer.step, str(trainer.device))
            image = run.picture(batches.images, steps, progress=steps is None and first)
        if first:
            save_image(image, path, made | {"step": str(trainer.step)})

    def preview(trainer: Trainer) -> None:
        picture(trainer, subfolder(folder, "previews") / f"step-{trainer.step:08d}.png", min(recipe.sampling.steps, 20))

    expected = estimate(trainer, batches)
    if first:
        if on_start is not None:
            on_start()
        print(expected)
    done = train(trainer, batches, folder, specification, tensors, preview)
    if done:
        picture(trainer, folder / f"{recipe.sampling.show}.png")
        if first:
            draw_curve(folder / "metrics.jsonl", folder / "curve.png")
    return done


ALLOWED = (
    *(Recipe, Sampling, Training, Objective, Thumbnails, Compose, Stage, Curve),
    *(*OPERATORS, *SCHEDULES, *PRIORS, *NETWORKS, *STEMS, *SOURCES, *TIMES, *GRIDS, *SAMPLERS, Resampled),
)
"""The types that a stored specification may name."""
