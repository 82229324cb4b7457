"""Restorers and how they come to be: parametrisations, objectives, the trainer, checkpoints, image files, metrics."""

from restore.data.batch import Batch, Batches
from restore.data.images import ImageError, load_image, save_image
from restore.data.sources import SOURCES, Crops, Folder, OneImage, Source
from restore.restorer import Restorer
from restore.training.condition_dropout import ConditionDropout
from restore.training.objectives import Objective
from restore.training.settings import Training

__all__ = [
    "SOURCES",
    "Batch",
    "Batches",
    "ConditionDropout",
    "Crops",
    "Folder",
    "ImageError",
    "Objective",
    "OneImage",
    "Restorer",
    "Source",
    "Training",
    "load_image",
    "save_image",
]
