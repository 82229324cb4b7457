"""Guides: functions from a restorer to a restorer. They compose, and serve every sampler and degradation."""

from samplers.guides.bounds import clip, pad_to
from samplers.guides.classifier_free import classifier_free
from samplers.guides.known import keep
from samplers.guides.loss import steered
from samplers.guides.low_frequencies import low_frequencies
from samplers.guides.symmetry import Symmetry, seamless, symmetric

__all__ = ["Symmetry", "classifier_free", "clip", "keep", "low_frequencies", "pad_to", "seamless", "steered", "symmetric"]
