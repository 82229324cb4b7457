"""Guides: functions from a restorer to a restorer. They compose, and serve every sampler and degradation."""

from samplers.guides.bounds import clip, pad_to, threshold
from samplers.guides.ilvr import ilvr
from samplers.guides.known_pixels import known_pixels
from samplers.guides.likelihood import Method, likelihood
from samplers.guides.loss import loss_guidance
from samplers.guides.measurement import Measurement
from samplers.guides.symmetry import Symmetry, seamless, symmetric
from samplers.guides.telescoped import telescoped

__all__ = [
    "Measurement",
    "Method",
    "Symmetry",
    "clip",
    "ilvr",
    "known_pixels",
    "likelihood",
    "loss_guidance",
    "pad_to",
    "seamless",
    "symmetric",
    "telescoped",
    "threshold",
]
