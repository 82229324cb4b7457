"""What a schedule says of a time is computed once in a walk, however many ask."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from degrade import Cosine, GaussianNoise, State, seeds
from degrade.severity import level, once
from restore import Restorer
from samplers import NAMED, sample, uniform

ASKED: list[float] = []


@dataclass(frozen=True)
class Counted(Cosine):
    def coefficients(self, t):
        ASKED.extend(t[:1].tolist())
        return super().coefficients(t)


@pytest.mark.parametrize(
    ("name", "calls"), [("ddim", 1), ("ddpm", 1), ("ddpm-large", 1), ("dpm-solver++", 1), ("euler", 2), ("heun", 2)]
)
def test_a_walk_computes_each_time_once(name, calls, images):
    """And once more for its slopes."""
    found = []
    for schedule in (Cosine(), Counted()):
        noise = GaussianNoise(schedule)
        restore = Restorer(lambda x, t: 0.5 * x, noise, "v")
        ASKED.clear()
        start = State(images, noise.draw(images, seeds(0, len(images))))
        found.append(sample(NAMED[name], restore, noise, start, uniform(4, 0.9), generator=seeds(0, len(images))))
    assert torch.equal(*found)
    assert len({*ASKED}) >= 4 and len(ASKED) == calls * len({*ASKED})


def test_once():
    calls = []

    def double(t):
        calls.append(t)
        return 2 * t

    t = level(0.5, 3, torch.device("cpu"))
    assert once(double, t) is once(double, t) and len(calls) == 1
    assert torch.equal(once(double, t.clone()), once(double, t)) and len(calls) == 2  # another tensor is another matter
