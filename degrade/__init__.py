"""Degradations D(x0, t, z): pure functions of severity t in [0, 1], their schedules, and priors over x at t = 1.

`OPERATORS` is the one list of operators: law tests, command line and checkpoints read it.
"""

from typing import TYPE_CHECKING, Union

from degrade.bridge import Bridge
from degrade.compose import Compose, Curve, Stage
from degrade.couplings import COUPLINGS, Coupling, Independent, OptimalTransport, Paired
from degrade.decolour import Decolour
from degrade.gaussian_blur import GaussianBlur
from degrade.gaussian_mask import GaussianMask
from degrade.gaussian_noise import GaussianNoise
from degrade.identity import Identity
from degrade.image_mixing import ImageMixing
from degrade.iterated_blur import IteratedBlur
from degrade.pixelate import Pixelate
from degrade.priors import BridgePrior, GaussianPrior, ImagePrior, LatentPrior, PartnerPrior, ThumbnailPrior, Thumbnails
from degrade.protocols import Affine, Degradation, Estimable, Gaussian, Legible, Markov, Mixing, Prior, Scheduled, State
from degrade.random import Field, Stream, seeded, seeds
from degrade.schedules import SCHEDULES, Betas, Cosine, CosineBeta, LinearBeta, RectifiedFlow, Schedule, ShiftedCosine
from degrade.snow import Snow
from degrade.tree import NoLatent

OPERATORS = (GaussianNoise, GaussianBlur, IteratedBlur, GaussianMask, ImageMixing, Bridge, Pixelate, Decolour, Snow, Identity)
"""Every operator: laws, command line and checkpoints read this list."""
PRIORS = (GaussianPrior, ThumbnailPrior, ImagePrior, PartnerPrior, BridgePrior, LatentPrior)
"""The priors that a checkpoint may name."""
if TYPE_CHECKING:
    Operator = Degradation
else:
    Operator = Union[OPERATORS]  # the command line offers each as a sub-command
    """Any operator of the project."""

__all__ = [
    "COUPLINGS",
    "OPERATORS",
    "PRIORS",
    "SCHEDULES",
    "Affine",
    "Betas",
    "Bridge",
    "BridgePrior",
    "Compose",
    "Cosine",
    "CosineBeta",
    "Coupling",
    "Curve",
    "Decolour",
    "Degradation",
    "Estimable",
    "Field",
    "Gaussian",
    "GaussianBlur",
    "GaussianMask",
    "GaussianNoise",
    "GaussianPrior",
    "Identity",
    "ImageMixing",
    "ImagePrior",
    "Independent",
    "IteratedBlur",
    "LatentPrior",
    "Legible",
    "LinearBeta",
    "Markov",
    "Mixing",
    "NoLatent",
    "Operator",
    "OptimalTransport",
    "Paired",
    "PartnerPrior",
    "Pixelate",
    "Prior",
    "RectifiedFlow",
    "Schedule",
    "Scheduled",
    "ShiftedCosine",
    "Snow",
    "Stage",
    "State",
    "Stream",
    "ThumbnailPrior",
    "Thumbnails",
    "seeded",
    "seeds",
]
