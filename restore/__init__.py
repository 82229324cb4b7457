"""Restorers and how they come to be: parametrisations, objectives, the trainer, checkpoints, image files, metrics."""

from restore.data.images import ImageError, load_image, save_image
from restore.data.sources import SOURCES, Crops, Folder, OneImage, Source
from restore.restorer import Restorer
from restore.training.objectives import Objective
from restore.training.settings import Training
from restore.training.times import TIMES, Levels, LogitNormal, TimeSampling, UniformTimes

__all__ = [
    "SOURCES",
    "TIMES",
    "Crops",
    "Folder",
    "ImageError",
    "Levels",
    "LogitNormal",
    "Objective",
    "OneImage",
    "Restorer",
    "Source",
    "TimeSampling",
    "Training",
    "UniformTimes",
    "load_image",
    "save_image",
]
