from __future__ import annotations

import torch

from degrade import GaussianBlur, State
from samplers import Improved, Naive, Trajectory, sample, uniform
from tests.exact import oracle


def test_film_records_every_step(images):
    blur, film = GaussianBlur(3.0), Trajectory()
    start = State(blur(images, torch.ones(4)), ())
    restored = sample(Improved(), oracle(images), blur, start, uniform(7), on_step=film)
    assert [step.number for step in film] == list(range(1, 8)) and film[0].t == 1 and film[-1].s == 0
    assert torch.equal(film[-1].x, restored) and all(torch.equal(step.x0, images) for step in film)


def test_any_number_of_steps_below_the_published_one(images):
    """An oracle restores exactly, whatever the grid."""
    from degrade import IteratedBlur

    blur = IteratedBlur(50, 11, "linear", 0.35, 0.01)
    start = State(blur(images, torch.ones(4)), ())
    for steps in (1, 7, 50):
        for sampler in (Naive(), Improved()):
            x = sample(sampler, oracle(images), blur, start, uniform(steps))
            torch.testing.assert_close(x, images, rtol=0, atol=2e-6)


def test_thinned(images):
    film = Trajectory()
    sample(Naive(), oracle(images), GaussianBlur(), State(images, ()), uniform(20), on_step=film)
    assert [step.number for step in film.thinned(4)] == [1, 7, 14, 20]
    assert len(film.thinned(50)) == 20 and film.thinned(1)[0].number == 20
