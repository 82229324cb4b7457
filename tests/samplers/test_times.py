from __future__ import annotations

import pytest
import torch

from degrade import Cosine, LinearBeta, RectifiedFlow
from samplers import logsnr_uniform, of_steps, respaced, uniform
from tests.reference import golden


def test_uniform():
    assert uniform(4).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert uniform(2, 0.5).tolist() == [0.5, 0.25, 0.0]


@pytest.mark.parametrize("schedule", [LinearBeta(), Cosine(), RectifiedFlow()], ids=str)
def test_logsnr_uniform(schedule):
    times = logsnr_uniform(schedule, 12, start=0.98, end=0.01)
    assert len(times) == 13 and times[0] == 0.98 and times[-1] == 0 and (times.diff() < 0).all()
    steps = schedule.logsnr(times[:-1]).diff()
    torch.testing.assert_close(steps, steps.mean().expand_as(steps), rtol=1e-6, atol=0)


def test_logsnr_uniform_needs_a_signal_to_start_from():
    with pytest.raises(ValueError, match="no signal at t = 1"):
        logsnr_uniform(Cosine(), 10)


@pytest.mark.parametrize("name", [f"respace_{i}" for i in range(6)])
def test_published_respacing(name):
    kept, _, params = golden(name)
    assert respaced(params["T"], params["spec"]) == kept.tolist()


def test_of_steps():
    assert of_steps([0, 4, 9], 10).tolist() == [1.0, 0.5, 0.1, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform(0), "at least one step"),
        (lambda: uniform(5, 1.5), "starts in"),
        (lambda: of_steps([3, 2], 10), "rise"),
        (lambda: respaced(1000, "ddim999"), "no whole stride"),
        (lambda: respaced(10, "20"), "cannot give 20"),
        (lambda: logsnr_uniform(RectifiedFlow(), 5, 0.5, 0.6), "end lies"),
    ],
)
def test_bad_grids(call, message):
    with pytest.raises(ValueError, match=message):
        call()
