"""Published weights in a .pt file: the networks of this project that they are of, found by names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from degrade import Betas, Degradation, GaussianNoise, LinearBeta, Prior
from degrade.lazy import torch
from models import ADMUNetConfig, ConvNeXtUNetConfig, DDPMUNetConfig, NetworkSettings, PatchUNetConfig
from restore.data.sources import OneImage
from restore.parametrisation import Prediction
from restore.recipe import Recipe
from restore.restorer import Restorer
from restore.run import Run, Specification, open_trained
from restore.sampling import Sampling
from restore.storage.checkpoint import save_checkpoint
from restore.storage.specification import encode
from samplers import DDPM, Improved, Respaced

if TYPE_CHECKING:
    from torch import Tensor

ADM = {
    "64": ADMUNetConfig(),
    "128": ADMUNetConfig(3, 256, (1, 1, 2, 3, 4), blocks=2, attention=(2, 3, 4), head=0, heads_first=True),
    "256": ADMUNetConfig(3, 256, (1, 1, 2, 2, 4, 4), blocks=2, attention=(3, 4, 5), heads_first=True),
    "256-unconditional": ADMUNetConfig(3, 256, (1, 1, 2, 2, 4, 4), blocks=2, attention=(3, 4, 5), heads_first=True, classes=0),
}
"""openai/guided-diffusion's networks: ImageNet's by their size, and the unconditional one, which LSUN's are too."""
