"""A trained recipe: opened from its folder, without the recipe's file and without a retyped flag."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from degrade import Prior, State, ThumbnailPrior, seeds
from degrade.tree import tree_map
from models import Condition
from recipes.recipe import ALLOWED, Recipe, continue_training
from restore.machine.allocator import keep_freed_memory
from restore.machine.memory import free_memory, readable
from restore.machine.processes import ALONE, Processes, best_device, process_group
from restore.restorer import Restorer
from restore.storage.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from restore.storage.specification import SpecificationError, decode
from samplers import Sampler, Step, classifier_free, clip, pad_to, sample, uniform

if TYPE_CHECKING:
    from degrade.protocols import Restore


class Restoration(NamedTuple):
    """Degraded copies and what was made of them, each (B, C, H, W) or, of one image, (C, H, W)."""

    clean: Tensor
    degraded: Tensor
    direct: Tensor
    """One call of the restorer."""
    restored: Tensor
    """The whole walk back."""


@dataclass(frozen=True)
class Run:
    """A restorer with the recipe and the prior that it was trained with."""

    folder: Path
    recipe: Recipe
    restorer: Restorer
    prior: Prior
    size: tuple[int, int, int]  # (C, H, W) of the training image
    classes: tuple[str, ...]  # their names, where it was told the classes of the images
    step: int
    device: str

    def sample(
        self,
        height: int | None = None,
        width: int | None = None,
        count: int = 1,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: int = 0,
        batch: int = 4,
        progress: bool = True,
        label: str | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """New images (count, C, height, width) in [-1, 1], by default of the training image's size.

        Image i has the seed `seed + i` and does not depend on the others. `batch` images at a time are in memory. A run that
        knows classes makes images of the class `label`, "" for none in particular; by default seed s is of class s mod N.
        """
        images = self.stream(height, width, count, steps, sampler, seed, batch, progress, label=label, guidance=guidance)
        return torch.stack([image for _, image in images])

    def stream(
        self,
        height: int | None = None,
        width: int | None = None,
        count: int = 1,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: int = 0,
        batch: int = 4,
        progress: bool = True,
        processes: Processes = ALONE,
        label: str | None = None,
        guidance: float | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """The images of `sample` as they are made: (seed, image (C, H, W)).

        Of several processes each makes every so many-th batch: the images do not depend on their number.
        """
        height, width = self.size[1] if height is None else height, self.size[2] if width is None else width
        shape = (self.size[0], height, width)
        if count < 1 or batch < 1 or min(shape) < 1:
            raise ValueError(f"count, batch, height and width are at least 1, got {count}, {batch}, {shape[1]}, {shape[2]}.")
        padded = self.squares(shape[1:])
        for first in range(0, count, batch)[processes.rank :: processes.count]:
            numbers = range(seed + first, seed + min(first + batch, count))
            generators = seeds(numbers[0], len(numbers))
            start = self.start((len(generators), shape[0], *padded), generators)
            restore = self.guided(self.labels(numbers, label), guidance)
            x = self.walk(start, 1.0, steps, sampler, generators, progress, restore=restore)
            images = x[..., : shape[1], : shape[2]].cpu().clamp(-1, 1)
            yield from zip(numbers, images, strict=True)

    def restore(
        self,
        clean: Tensor,
        severity: float = 0.5,
        steps: int | None = None,
        sampler: Sampler | None = None,
        seed: int = 0,
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Restoration:
        """Degrades `clean` to `severity` in (0, 1] and restores it, in one call and by the sampler's walk.

        `clean` is an image (C, H, W) or a batch (B, C, H, W), whose image i is degraded with the seed `seed + i`.
        `on_step` watches the walk: see `samplers.Trajectory`.
        """
        if not 0 < severity <= 1:
            raise ValueError(f"severity lies in (0, 1], got {severity}.")
        x0 = (clean if clean.ndim == 4 else clean[None]).to(self.device)
        if x0.ndim != 4 or x0.shape[1] != self.size[0]:
            raise ValueError(
                f"this run restores images of {self.size[0]} channels, got a tensor of shape {tuple(clean.shape)}."
            )
        generators = seeds(seed, len(x0))
        t = torch.full((len(x0),), severity, device=self.device)
        degradation = self.recipe.degradation
        drawn = (
            degradation.draw(x0, generators) if self.recipe.others is None else self.prior.sample(x0.shape, generators).latent
        )
        latent = tree_map(lambda z: z.to(self.device), drawn)
        degraded = degradation(x0, t, latent)
        with torch.no_grad():
            direct = self.guided()(degraded, t)
        restored = self.walk(State(degraded, latent), severity, steps, sampler, generators, progress, on_step)
        images = (x.cpu().clamp(-1, 1) for x in (x0, degraded, direct, restored))
        return Restoration(*(x if clean.ndim == 4 else x[0] for x in images))

    def image(self, path: str | Path | None = None) -> Tensor:
        """The image file (C, H, W), reduced as for training; by default the training image, or the first of the folder."""
        from restore.data.images import image_files

        images = self.recipe.images
        return self.recipe.data.read(Path(path) if path else image_files(images)[0] if images.is_dir() else images)

    def with_noise(self, noise: float) -> Run:
        """The same run, its generation starting with this standard deviation of symmetry-breaking noise."""
        if not isinstance(self.prior, ThumbnailPrior) or not noise >= 0:
            raise ValueError(
                f"noise is a standard deviation >= 0 for a prior over thumbnails; this run has a {type(self.prior).__name__}, "
                f"and {noise} was asked for."
            )
        return replace(self, prior=replace(self.prior, noise=noise))

    def picture(self, clean: Tensor, steps: int | None = None, progress: bool = True) -> Tensor:
        """What the recipe shows of itself (C, H, W): clean images beside samples, or rows of clean, degraded, direct and
        restored at severities from 1/4 to 1."""
        from restore.data.images import grid

        if self.recipe.sampling.show == "samples":
            images = self.sample(count=4, steps=steps, progress=progress)
            return grid([clean[0], *images], 5, at_least=64)
        rows = []
        for i, severity in enumerate((0.25, 0.5, 0.75, 1.0)):
            rows += list(self.restore(clean[i % len(clean)], severity, steps, seed=i, progress=progress))
        return grid(rows, 4, at_least=64)

    def start(self, shape: tuple[int, int, int, int], generators: list[torch.Generator]) -> State:
        """A draw (B, C, H, W) from the prior. Raises ValueError for more than there is memory for."""
        needed, free = 32 * math.prod(shape), free_memory()  # the state, the estimate, and what a step makes of them
        if needed > free:
            raise ValueError(
                f"{shape[0]} x {shape[2]} x {shape[3]} pixels take about {readable(needed)}, there is not enough memory "
                f"({readable(free)}): choose a smaller size, or let edit.py panorama make it on disk, of a local network's run."
            )
        return self.prior.sample(shape, generators)

    def walk(
        self,
        start: State,
        severity: float,
        steps: int | None = None,
        sampler: Sampler | None = None,
        generators: list[torch.Generator] | None = None,
        progress: bool = True,
        watch: Callable[[Step], None] | None = None,
        restore: Restore | None = None,
    ) -> Tensor:
        """From `start`, degraded to `severity`, to a clean image (B, C, H, W), by `restore` (default: the run's, guided)."""
        from tqdm import tqdm

        keep_freed_memory()
        sampling = self.recipe.sampling
        start = State(start.x.to(self.device), tree_map(lambda z: z.to(self.device), start.latent))
        times = uniform(sampling.steps if steps is None else steps, severity)
        with tqdm(total=len(times) - 1, desc="sampling", unit="step", disable=not progress, dynamic_ncols=True) as bar:

            def on_step(step: Step) -> None:
                bar.update()
                if watch is not None:
                    watch(step)

            return sample(
                sampler or sampling.sampler,
                restore or self.guided(),
                self.recipe.degradation,
                start,
                times,
                generator=generators,
                on_step=on_step,
            )

    def squares(self, size: tuple[int, int]) -> tuple[int, int]:
        """`size` (H, W) rounded up to what the network works on. Images are made at this and cut: a network that was trained
        without padding has not learned what to make of it."""
        stride = self.recipe.stride
        height, width = (-(-side // stride) * stride for side in size)
        return height, width

    def labels(self, numbers: range, label: str | None = None) -> Tensor | None:
        """The class of each image, by its seed: `label` for all, "" for none, None for each class in turn."""
        if label and label not in self.classes:
            known = f"knows {', '.join(self.classes)}" if self.classes else "was not told any classes"
            raise ValueError(f"there is no class {label!r}: {self.folder} {known}.")
        if not self.classes or label == "":
            return None
        classes = [self.classes.index(label) if label else seed % len(self.classes) for seed in numbers]
        return torch.tensor(classes, device=self.device)

    def guided(self, labels: Tensor | None = None, guidance: float | None = None) -> Restore:
        """The restorer under the guides that the recipe samples with, told `labels` (B,)."""
        sampling = self.recipe.sampling
        restore: Restore = self.restorer
        if labels is not None:
            weight = sampling.guidance if guidance is None else guidance
            restore = classifier_free(self.restorer.given(Condition(label=labels)), self.restorer, weight, *sampling.guided)
        if sampling.pad_to > 1:
            restore = pad_to(restore, sampling.pad_to)
        return clip(restore) if sampling.clip else restore


def open_run(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> Run:
    """The run in `folder`, at its last checkpoint. Raises CheckpointError with one clear line if it holds none.

    types: your own operator, sampler or network, where the run was trained with one: a file names types, and brings no code.
    """
    device = device or best_device()
    checkpoint = open_checkpoint(Path(folder))
    recipe, prior, size, classes = _specification(checkpoint, types)
    _check(checkpoint, recipe)
    _check_walk(checkpoint, recipe, prior, size[0])
    network = recipe.build()
    checkpoint.load("ema", dict(network.named_parameters()))
    network.to(device=device, memory_format=recipe.training.memory_format).eval()  # type: ignore[call-overload]
    restorer = Restorer(network, recipe.degradation, recipe.prediction, recipe.training.precision)
    return Run(Path(folder), recipe, restorer, prior, size, classes, checkpoint.step, device)


def resume(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> Run:
    """Goes on with the training of the run in `folder` from its last checkpoint, to its end; returns the run.

    types: as for `open_run`.
    """
    folder = Path(folder)
    device = device or best_device()
    checkpoint = open_checkpoint(folder)
    if checkpoint.folder == folder:
        raise CheckpointError(f"{folder} is a checkpoint, in which nothing is trained: resume the folder of its run.")
    recipe, prior, *_ = _specification(checkpoint, types)
    if checkpoint.step < recipe.training.steps:
        with process_group(recipe.training.timeout) as processes:
            _check(checkpoint, recipe)
            trainer = recipe.trainer(device, processes)
            trainer.load(checkpoint)
            batches, _ = recipe.open(device)
            continue_training(recipe, trainer, batches, prior, folder)
    return open_run(folder, device, types)


def _check(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Refuses weights of another network, before memory is taken for those of this one."""
    with torch.device("meta"):
        checkpoint.check("ema", dict(recipe.build().named_parameters()))


def _check_walk(checkpoint: Checkpoint, recipe: Recipe, prior: Prior, channels: int) -> None:
    """Refuses a prior, a degradation and a sampler that do not go together, by a step from one of 16 x 16 pixels."""
    sampler, generators = recipe.sampling.sampler, seeds(0, 1)
    t, s = (torch.full((1,), severity, dtype=torch.float64) for severity in (1.0, 0.5))
    try:
        start = prior.sample((1, channels, 16, 16), generators)
        with torch.no_grad():
            sampler.step(lambda x_t, t: x_t, recipe.degradation, sampler.init(start), t, s, generators)
    except Exception as error:  # a stranger's: tensors of other shapes, latents of other kinds
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise CheckpointError(
            f"{checkpoint.folder / 'run.json'}: prior, degradation and sampler do not go together: {reason}"
        ) from None


def _specification(
    checkpoint: Checkpoint, types: Sequence[type] = ()
) -> tuple[Recipe, Prior, tuple[int, int, int], tuple[str, ...]]:
    path = checkpoint.folder / "run.json"
    try:
        data = checkpoint.run
        recipe = decode(data["recipe"], (*ALLOWED, *types), Recipe, path="recipe")
        prior = decode(data["prior"], (*ALLOWED, *types), Prior, checkpoint.prior(), "prior")
        size = decode(data["size"], (), tuple[int, int, int], path="size")
        classes = decode(data.get("classes", []), (), tuple[str, ...], path="classes")
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is incomplete: {error}.") from None
    except (SpecificationError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    if max(size[1:]) > recipe.data.size:
        raise CheckpointError(f"{path}: images of {size[1]} x {size[2]} are larger than they were made, {recipe.data.size}.")
    if size[0] not in (1, 2, 3, 4) or not all(0 < side <= 2**16 for side in size[1:]):
        raise CheckpointError(f"{path}: images of {size[0]} x {size[1]} x {size[2]} were not learned from.")
    if size[0] != recipe.network.image_channels:
        raise CheckpointError(f"{path}: a network of {recipe.network.image_channels} channels for images of {size[0]}.")
    if classes and len(classes) != recipe.conditions:
        raise CheckpointError(f"{path}: {len(classes)} classes for a network that takes {recipe.conditions}.")
    return recipe, prior, size, classes
