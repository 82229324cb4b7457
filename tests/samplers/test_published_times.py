"""The levels of diffusers' schedulers, whatever the number of steps."""

from __future__ import annotations

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from degrade import Betas, GaussianNoise, RectifiedFlow
from samplers import Shifted, Spaced

NOISE = GaussianNoise(Betas())


@pytest.mark.parametrize("count", [1, 2, 7, 28, 50, 333])
@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_levels_of_ddim_and_of_dpm_solver(spacing, offset, count):
    for scheduler, beyond in ((DDIMScheduler, 0), (DPMSolverMultistepScheduler, 1)):
        if (spacing, count, beyond) == ("linspace", 1, 0):
            continue  # there one step is at level 0, which leaves all the noise
        theirs = scheduler(timestep_spacing=spacing, steps_offset=offset)
        theirs.set_timesteps(count)
        times = Spaced(spacing, 1000, offset, beyond).times(count, 1.0, NOISE)
        levels = [round(float(t) * 1000) - 1 for t in times[:-1]]
        assert levels == [int(k) for k in theirs.timesteps] and times[-1] == 0


@pytest.mark.parametrize("count", [2, 7, 28, 50, 333])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("scheduler", [EulerDiscreteScheduler, EulerAncestralDiscreteScheduler])
def test_levels_of_euler(scheduler, spacing, count):
    """Whose linspace lies between those of the process."""
    theirs = scheduler(timestep_spacing=spacing, steps_offset=1)
    theirs.set_timesteps(count)
    times = Spaced("even" if spacing == "linspace" else spacing, 1000, 1).times(count, 1.0, NOISE)
    torch.testing.assert_close(1000 * times[:-1] - 1, theirs.timesteps.double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("count", "shift"), [(28, 3.0), (50, 1.0), (4, 3.0), (1, 3.0)])
def test_shifted_flow(count, shift):
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(count)
    times = Shifted(shift).times(count, 1.0, GaussianNoise(RectifiedFlow()))
    torch.testing.assert_close(times, theirs.sigmas.double(), rtol=0, atol=1e-6)
    if count == 28:
        torch.testing.assert_close(times[-3:], torch.tensor([0.1109, 0.00893, 0], dtype=torch.float64), rtol=0, atol=5e-5)


def test_where_a_walk_begins_and_ends():
    assert Spaced("leading", 10, last=1).times(5, 1.0, NOISE).tolist() == [0.9, 0.7, 0.5, 0.3, 0.1]
    assert Spaced("leading", 10, 1, last=1).times(5, 1.0, NOISE).tolist() == [1.0, 0.8, 0.6, 0.4, 0.2, 0.1]
    assert Spaced("leading", 10).times(2, 0.55, NOISE).tolist() == [0.55, 0.1, 0.0]
    assert Spaced("trailing", 10).times(3, 0.55, NOISE).tolist() == [0.55, 0.4, 0.2, 0.0]
    with pytest.raises(ValueError, match="1000 steps of a process of 1000 with an offset of 1 ask for level 1000"):
        Spaced(offset=1).times(1000, 1.0, NOISE)
