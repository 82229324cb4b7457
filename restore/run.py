"""A trained recipe: opened from its folder, without the recipe's file and without a retyped flag."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from degrade import Prior, seeds
from degrade.lazy import torch
from degrade.severity import per_sample
from models.condition import LONGEST, Condition
from restore.autoencoder import found
from restore.machine.processes import usable_device
from restore.pipelines.network import NetworkPipeline
from restore.published.folder import is_imported
from restore.recipe import ALLOWED, Recipe
from restore.restorer import Restorer
from restore.sharing.address import address_of
from restore.sharing.download import local
from restore.space import Fitting
from restore.storage.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from restore.storage.older import current
from restore.storage.reading import text
from restore.storage.specification import SpecificationError, check_round_trip, decode, encode, own_types
from restore.training.objectives import Objective
from samplers import sample

if TYPE_CHECKING:
    from torch import Tensor

    from restore.pipelines.published import Published


@dataclass(frozen=True, kw_only=True, eq=False)
class Run(NetworkPipeline):
    """A pipeline with the recipe that it was trained by, in a folder."""

    folder: Path
    recipe: Recipe
    step: int

    @property
    def identity(self) -> str:
        weights = open_checkpoint(self.folder).sums["ema.safetensors"][:16]
        return f"{self.folder.resolve()} at step {self.step}, weights {weights}"

    @property
    def origin(self) -> dict[str, str]:
        return {"step": str(self.step)}

    @property
    def paired(self) -> bool:
        return self.recipe.paired is not None

    @property
    def objective(self) -> Objective:
        return self.recipe.objective if isinstance(self.recipe.objective, Objective) else Objective()


def captioned(captions: Sequence[str]) -> Condition:
    """Captions as the bytes that a network with a text encoder of its own reads."""
    return Condition.written(*captions)


class Specification(NamedTuple):
    """What a checkpoint says of itself beside its weights."""

    recipe: Recipe
    prior: Prior
    size: tuple[int, int, int]
    """Channels, height, width of the training image."""
    classes: tuple[str, ...]
    captions: tuple[str, ...] = ()
    """Some of the training images'."""

    def stored(self, made: dict[str, str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What run.json holds of it, `made` being its provenance, and the tensors that go beside it. Raises SpecificationError
        for what could not be read back."""
        check_round_trip(self.prior, (*ALLOWED, *own_types(self.prior, ALLOWED)), Prior, "prior")
        tensors: dict[str, Tensor] = {}
        described = {
            "recipe": encode(self.recipe),
            "prior": encode(self.prior, tensors, "prior"),
            "size": list(self.size),
            "classes": list(self.classes),
            "captions": list(self.captions),
            "provenance": made,
        }
        return described, tensors

    def run(self, folder: Path, name: str, restorer: Restorer, step: int, device: str) -> Run:
        """The run of these settings around a trained restorer, called `name` in messages."""
        recipe = self.recipe
        return Run(
            degradation=recipe.degradation,
            prior=self.prior,
            size=self.size,
            data=recipe.data,
            images=recipe.images,
            sampling=recipe.sampling,
            space=recipe.space,
            partners=self.prior if recipe.others is not None else None,
            classes=self.classes,
            captions=self.captions,
            words=captioned if "text" in restorer.accepts else None,
            device=device,
            restorer=restorer,
            name=name,
            network_stride=recipe.stride,
            folder=folder,
            recipe=recipe,
            step=step,
        )


def open_run(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> Run | Published:
    """The run in `folder`: trained, at its last checkpoint, or a published model that was imported; or at hf://user/run, or
    hf://user/run@revision, which is downloaded once (extra `hub`). Raises CheckpointError, or ValueError, with one clear line
    if it holds none.

    types: your own operator, sampler or network, where the run was trained with one: a file names types, and brings no code.
    """
    if is_imported(Path(folder)):
        from restore.published.imported import open_imported

        return open_imported(Path(folder), device)
    return open_trained(folder, device, types)


def open_trained(folder: str | Path, device: str | None = None, types: Sequence[type] = ()) -> Run:
    """The run in `folder` that was trained here, at its last checkpoint. Raises CheckpointError in one line."""
    device = usable_device(device)
    home = local(folder)
    checkpoint = open_checkpoint(home)
    specification = specified(checkpoint, types)
    recipe = specification.recipe
    check_weights(checkpoint, recipe)
    try:
        check_walk(recipe, specification.prior)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint.folder / 'run.json'}: {error}") from None
    network = recipe.build()
    checkpoint.load("ema", dict(network.named_parameters()))
    network.to(device=device, memory_format=recipe.training.memory_format).eval()  # type: ignore[call-overload]
    restorer = Restorer(network, recipe.degradation, recipe.prediction, recipe.training.computes)
    return specification.run(home, str(address_of(folder) or folder), restorer, checkpoint.step, device)


def read_recipe(path: Path, types: Sequence[type] = ()) -> Recipe:
    """The recipe of a run: of its folder or hf://user/run, of one of its checkpoints, or of a run.json. Raises CheckpointError
    in one line.

    Where its metrics went is left out: a stranger's file does not send anything anywhere.
    """
    try:
        path = local(path)
        if is_imported(path):
            raise ValueError("it is a published model that was imported, and is not trained further.")
        if path.is_dir():
            recipe = specified(open_checkpoint(path), types).recipe
        else:
            recipe = decode(current(json.loads(text(path))["recipe"]), (*ALLOWED, *types), Recipe, path="recipe")
        return replace(recipe, training=replace(recipe.training, track=None))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} holds no recipe of a run: {error}") from None


def check_weights(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Refuses weights of another network, before memory is taken for those of this one."""
    with torch.device("meta"):
        checkpoint.check("ema", dict(recipe.build().named_parameters()))


def check_walk(recipe: Recipe, prior: Prior) -> None:
    """Raises ValueError where prior, degradation, time grid and sampler do not go together: two steps of 16 x 16 cells tell."""
    sampling, degradation, generators = recipe.sampling, recipe.degradation, seeds(0, 1)

    def restore(x_t: Tensor, t: Tensor) -> Tensor:
        return x_t * per_sample(torch.ones_like(t), x_t)

    try:
        times = sampling.grid.times(2, 1.0, degradation)
        start = prior.sample((1, recipe.network.image_channels, 16, 16), generators)
        x = sample(sampling.sampler, restore, degradation, start, times, generator=generators)
        if x.shape != start.x.shape:
            raise ValueError(f"images of {tuple(start.x.shape)} became {tuple(x.shape)}")
    except Exception as error:  # a stranger's, or the user's own: tensors of other shapes, latents and states of other kinds
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        kinds = ", ".join(type(part).__name__ for part in (prior, degradation, sampling.grid, sampling.sampler))
        raise ValueError(f"prior, degradation, time grid and sampler ({kinds}) do not go together: {reason}") from None


def specified(checkpoint: Checkpoint, types: Sequence[type] = ()) -> Specification:
    """What the checkpoint holds, checked. Raises CheckpointError with one clear line."""
    path = checkpoint.folder / "run.json"
    try:
        data = checkpoint.run
        recipe = decode(found(current(data["recipe"]), checkpoint.folder), (*ALLOWED, *types), Recipe, path="recipe")
        prior = decode(data["prior"], (*ALLOWED, *types), Prior, checkpoint.prior(), "prior")
        size = decode(data["size"], (), tuple[int, int, int], path="size")
        classes = decode(data.get("classes", []), (), tuple[str, ...], path="classes")
        captions = decode(data.get("captions", []), (), tuple[str, ...], path="captions")
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is incomplete: {error}.") from None
    except (SpecificationError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    if max(size[1:]) > recipe.data.size:
        raise CheckpointError(f"{path}: images of {size[1]} x {size[2]} are larger than they were made, {recipe.data.size}.")
    if size[0] not in (1, 2, 3, 4) or not all(0 < side <= 2**16 for side in size[1:]):
        raise CheckpointError(f"{path}: images of {size[0]} x {size[1]} x {size[2]} were not learned from.")
    if isinstance(recipe.space, Fitting) and not recipe.space.is_fitted:
        raise CheckpointError(f"{path}: {type(recipe.space).__name__} that nothing was measured for, expected a scale above 0.")
    if recipe.space.channels(size[0]) != recipe.network.image_channels:
        raise CheckpointError(f"{path}: a network of {recipe.network.image_channels} channels for images of {size[0]}.")
    if classes and (recipe.classes not in (None, len(classes)) or "label" not in recipe.accepts):
        raise CheckpointError(f"{path}: {len(classes)} classes for a network that takes {recipe.classes or 'none'}.")
    if any(len(caption.encode()) > LONGEST for caption in captions):
        raise CheckpointError(f"{path}: captions have at most {LONGEST} bytes.")
    return Specification(recipe, prior, size, classes, captions)
