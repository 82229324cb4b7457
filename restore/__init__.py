"""Restorers and how they come to be: parametrisations, the trainer, data, checkpoints, metrics; pipelines to use them with."""

from typing import TYPE_CHECKING

from _thaw import own

own("degrade", "models", "samplers")

from restore.data.batch import Batch, Batches
from restore.data.images import ImageError, load_image, save_image
from restore.data.sources import SOURCES, Crops, Folder, OneImage, Source
from restore.pipelines.closed_form import ClosedForm, PatchSettings, closed_form
from restore.pipelines.generation import Edit
from restore.pipelines.pipeline import Pipeline
from restore.pipelines.restoration import Comparison
from restore.recipe import Recipe
from restore.restorer import Restorer
from restore.run import Run, open_run
from restore.sampling import Sampling
from restore.space import Pixels, Space
from restore.training.condition_dropout import ConditionDropout
from restore.training.objectives import Objective
from restore.training.settings import Training
from restore.training.times import TIMES, Interval, Levels, LogitNormal, TimeSampling, UniformTimes

if TYPE_CHECKING:
    from restore.published.opening import pretrained
    from restore.training.session import resume, train

__all__ = [
    "SOURCES",
    "TIMES",
    "Batch",
    "Batches",
    "ClosedForm",
    "Comparison",
    "ConditionDropout",
    "Crops",
    "Edit",
    "Folder",
    "ImageError",
    "Interval",
    "Levels",
    "LogitNormal",
    "Objective",
    "OneImage",
    "PatchSettings",
    "Pipeline",
    "Pixels",
    "Recipe",
    "Restorer",
    "Run",
    "Sampling",
    "Source",
    "Space",
    "TimeSampling",
    "Training",
    "UniformTimes",
    "closed_form",
    "load_image",
    "open_run",
    "pretrained",
    "resume",
    "save_image",
    "train",
]


def __getattr__(name: str):
    import importlib

    homes = {
        "pretrained": "restore.published.opening",
        "resume": "restore.training.session",
        "train": "restore.training.session",
    }
    if name not in homes:
        raise AttributeError(f"module 'restore' has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)
