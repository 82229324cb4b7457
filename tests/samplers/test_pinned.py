"""A walk that is held to an inversion outside a mask."""

from __future__ import annotations

import pytest
import torch

from degrade import Cosine, GaussianNoise, seeded
from samplers import DDIM, DPMSolver, Pinned, invert, sample, uniform
from tests.exact import GaussianData

NOISE = GaussianNoise(Cosine())
X = torch.randn(3, 2, 6, 7, generator=seeded(1), dtype=torch.float64)
TIMES = uniform(7, 0.9)


@pytest.fixture
def inverted():
    known = {0.0: X}
    restore = GaussianData(NOISE, 0.3, 0.6).restore
    start = invert(restore, NOISE, X, TIMES.flip(0), on_step=lambda step: known.__setitem__(step.s, step.x))
    return start, known


def test_what_is_pinned_comes_back(inverted):
    """Bit for bit, whatever is restored beside it; what is free is DDIM's own where nothing crosses from pixel to pixel."""
    start, known = inverted
    other = GaussianData(NOISE, -0.5, 0.3).restore
    mask = torch.zeros(1, 1, 6, 7)
    mask[..., 2:4, 1:5] = 1
    inside = mask.expand_as(X) > 0
    free = sample(DDIM(), other, NOISE, start, TIMES)
    found = sample(Pinned(DDIM(), known, mask), other, NOISE, start, TIMES)
    assert torch.equal(found[~inside], X[~inside]) and float((free - X).abs().mean()) > 0.1
    torch.testing.assert_close(found[inside], free[inside])


def test_levels_and_samplers(inverted):
    start, known = inverted
    with pytest.raises(ValueError, match="nothing is known at severity 0.72: invert along the times that are walked back"):
        sample(Pinned(DDIM(), known, torch.ones(1, 1, 6, 7)), lambda x, t: x, NOISE, start, uniform(5, 0.9))
    with pytest.raises(ValueError, match="Pinned takes one-step samplers"):
        Pinned(DPMSolver(), known, torch.ones(1))
