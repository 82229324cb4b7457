"""Degradations D(x0, t, z): pure functions of severity t in [0, 1], their schedules, and priors over x at t = 1.

`OPERATORS` is the one list of operators: law tests, command line and checkpoints read it.
"""

from typing import TYPE_CHECKING, Union

from degrade.gaussian_blur import GaussianBlur
from degrade.gaussian_mask import GaussianMask
from degrade.gaussian_noise import GaussianNoise
from degrade.image_mixing import ImageMixing
from degrade.priors import GaussianPrior, ImagePrior, PartnerPrior, ThumbnailPrior
from degrade.protocols import Affine, Degradation, Estimable, NoLatent, Prior, Start
from degrade.random import seeded, seeds
from degrade.schedules import SCHEDULES, Cosine, CosineBeta, Flow, LinearBeta, Schedule

OPERATORS = (GaussianNoise, GaussianBlur, GaussianMask, ImageMixing)
PRIORS = (GaussianPrior, ThumbnailPrior, ImagePrior, PartnerPrior)
if TYPE_CHECKING:
    Operator = Degradation
else:
    Operator = Union[OPERATORS]  # the command line offers each as a sub-command

__all__ = [
    "OPERATORS",
    "PRIORS",
    "SCHEDULES",
    "Affine",
    "Cosine",
    "CosineBeta",
    "Degradation",
    "Estimable",
    "Flow",
    "GaussianBlur",
    "GaussianMask",
    "GaussianNoise",
    "GaussianPrior",
    "ImageMixing",
    "ImagePrior",
    "LinearBeta",
    "NoLatent",
    "Operator",
    "PartnerPrior",
    "Prior",
    "Schedule",
    "Start",
    "ThumbnailPrior",
    "seeded",
    "seeds",
]
