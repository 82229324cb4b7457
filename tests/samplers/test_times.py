from __future__ import annotations

import pytest
import torch

from degrade import Cosine, GaussianBlur, GaussianNoise, ImageMixing, LinearBeta, RectifiedFlow
from samplers import GRIDS, LogSNRUniform, Respaced, Spaced, TimeGrid, Uniform, uniform
from tests.reference import golden

LINEAR = GaussianNoise(LinearBeta())
EVERY = [
    *(grid() for grid in GRIDS),
    Respaced(50),
    Respaced(10, "3,2"),
    Respaced(100, "ddim10"),
    Spaced("trailing"),
    Spaced("linspace"),
]


def test_uniform():
    assert uniform(4).tolist() == Uniform().times(4, 1.0, LINEAR).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert uniform(2, 0.5).tolist() == Uniform().times(2, 0.5, LINEAR).tolist() == [0.5, 0.25, 0.0]


@pytest.mark.parametrize("start", [1.0, 0.777, 0.07, 0.011])
@pytest.mark.parametrize("steps", [1, 2, 7, 60])
@pytest.mark.parametrize("grid", EVERY, ids=str)
def test_every_grid_falls_from_the_start_to_zero(grid, steps, start):
    times = grid.times(steps, start, LINEAR)
    assert isinstance(grid, TimeGrid) and times.dtype == torch.float64 and times[-1] == 0
    assert bool((times.diff() < 0).all()) and len(times) >= 2
    if getattr(grid, "sections", "") and start == 1:
        assert times[0] == (grid.kept[-1] + 1) / grid.steps  # where the published process begins
    elif isinstance(grid, Spaced) and start == 1:
        assert times[0] == (grid.levels(steps, grid.steps)[-1] + 1) / grid.steps
    else:
        assert times[0] == start
    if not isinstance(grid, Respaced | Spaced):
        assert len(times) == steps + 1


@pytest.mark.parametrize("degradation", [LINEAR, GaussianNoise(Cosine()), ImageMixing(RectifiedFlow())], ids=str)
def test_equal_steps_in_logsnr(degradation):
    times = LogSNRUniform(0.01).times(12, 0.98, degradation)
    steps = degradation.schedule.logsnr(times[:-1]).diff()
    torch.testing.assert_close(steps, steps.mean().expand_as(steps), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", [f"respace_{i}" for i in range(6)])
def test_published_respacing(name):
    kept, _, params = golden(name)
    assert list(Respaced(params["T"], params["spec"]).kept) == kept.tolist()


def test_levels():
    assert Respaced(10).times(10, 1.0, LINEAR).tolist() == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    assert (
        Respaced(10).times(3, 1.0, LINEAR).tolist() == Respaced(10, "3").times(3, 1.0, LINEAR).tolist() == [1.0, 0.5, 0.1, 0.0]
    )
    assert Respaced(10).times(3, 0.55, LINEAR).tolist() == [0.55, 0.3, 0.1, 0.0]  # .55 in the place of .6
    assert Respaced(10).times(99, 0.25, LINEAR).tolist() == [0.25, 0.2, 0.1, 0.0]  # all there are
    assert Respaced(10, "ddim2").times(99, 1.0, LINEAR).tolist() == [0.6, 0.1, 0.0]
    assert Respaced(10, "ddim2").times(99, 0.5, LINEAR).tolist() == [0.5, 0.1, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform(0), "at least one step"),
        (lambda: Respaced().times(5, 1.5, LINEAR), "starts in"),
        (lambda: Respaced(1000, "ddim999"), "no whole stride"),
        (lambda: Respaced(10, "20"), "cannot give 20"),
        (lambda: Respaced(10, "0"), "cannot give 0"),
        (lambda: Respaced(10, "a,2"), "sections of Respaced are .*got 'a,2'"),
        (lambda: Respaced(0), "steps of Respaced is 1 to"),
        (lambda: LogSNRUniform(0.0), "end of LogSNRUniform is"),
        (lambda: LogSNRUniform(0.6).times(5, 0.5, LINEAR), "end of LogSNRUniform lies"),
        (lambda: LogSNRUniform().times(10, 1.0, GaussianNoise(Cosine())), "no signal at t = 1"),
        (lambda: LogSNRUniform().times(5, 1.0, GaussianBlur()), "GaussianBlur has no schedule.*use Uniform"),
    ],
)
def test_bad_grids(call, message):
    with pytest.raises(ValueError, match=message):
        call()
