"""What is shared of a run: its latest checkpoint without the optimizer's state, and pictures. No path of this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from degrade import GaussianPrior, LatentPrior, Prior, ThumbnailPrior
from restore.data.images import load_image, save_image
from restore.pictures import without_first
from restore.published.folder import is_imported
from restore.recipe import Recipe
from restore.run import Specification, check_weights, specified
from restore.space import Carrying
from restore.storage.checkpoint import Checkpoint, open_checkpoint, seal
from restore.storage.specification import encode

KNOWN = ("thaw", "python", "torch", "commit", "seed")
"""What is told of where a run came from: not the command, which names folders."""
WITHOUT_IMAGES = (GaussianPrior, LatentPrior, ThumbnailPrior)
"""Priors that hold no training image, at most statistics of them."""


class Packed(NamedTuple):
    checkpoint: Checkpoint
    specification: Specification
    """Without paths: of images, their names."""
    pictures: tuple[str, ...]
    """Names of the files that show something."""


def pack(run: Path, home: Path, types: Sequence[type] = (), images: bool = False) -> Packed:
    """Writes into the empty folder `home` what is shared of the run: run.json, ema.safetensors, prior.safetensors where it has
    one, their sums, pictures, and what its space reads.

    Raises CheckpointError where the run cannot be opened; ValueError where its prior holds training images, as that of a run of
    one photograph does, unless `images` says that these may be shared.
    """
    if is_imported(run):
        raise ValueError(f"{run} is an imported model, and no run that was trained here: share the folder that it came from.")
    checkpoint = open_checkpoint(run)
    checkpoint.verify()
    specification = specified(checkpoint, types)
    check_weights(checkpoint, specification.recipe)
    if not images and holds_images(specification.prior):
        name, (_, height, width) = Path(specification.recipe.images).name, specification.size
        raise ValueError(
            f"{run} keeps {name} at {height}x{width} pixels within its prior, and its samples need it: --images says that it "
            "may be shared too."
        )
    recipe = specification.recipe
    if isinstance(recipe.space, Carrying):
        recipe = replace(recipe, space=recipe.space.packed(home))
    recipe = without_paths(recipe)
    data = {name: value for name, value in checkpoint.run.items() if name != "clock"}
    made = checkpoint.run.get("provenance", {})
    data |= {"recipe": encode(recipe), "provenance": {name: made[name] for name in KNOWN if name in made}}
    (home / "run.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    for name in ("ema.safetensors", "prior.safetensors"):
        if name in checkpoint.sums:
            shutil.copyfile(checkpoint.folder / name, home / name)
    seal(home)
    pictures = _pictures(run, home, recipe, images)
    return Packed(checkpoint, specification._replace(recipe=recipe), pictures)


def holds_images(prior: Prior) -> bool:
    """Whether the prior holds training images, as far as can be told: of the user's own types, all that hold tensors do."""
    if isinstance(prior, WITHOUT_IMAGES):
        return False
    return bool(_tensors(prior))


def without_paths(value: Any) -> Any:
    """A tree of dataclasses and tuples, with the names of its paths in their place."""
    if isinstance(value, Path):
        return Path(value.name)
    if isinstance(value, tuple):
        return tuple(map(without_paths, value))
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: without_paths(getattr(value, f.name)) for f in fields(value)}
        return replace(value, **changed)
    return value


def _tensors(prior: Prior) -> dict[str, Any]:
    tensors: dict[str, Any] = {}
    encode(prior, tensors, "prior")
    return tensors


def _pictures(run: Path, home: Path, recipe: Recipe, images: bool) -> tuple[str, ...]:
    """Writes the run's pictures without their metadata, and those that show training images only if these may be shared."""
    found = []
    for name in (f"{recipe.show}.png", "curve.png"):
        if not (run / name).is_file() or (name not in ("samples.png", "curve.png") and not images):
            continue
        picture = load_image(run / name)
        shown = without_first(picture) if name == "samples.png" and not images else picture
        if shown is not None:
            save_image(shown, home / name)
            found.append(name)
    return tuple(found)
