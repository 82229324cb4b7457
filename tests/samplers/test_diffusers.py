"""Full trajectories of diffusers' schedulers, with a shared toy predictor: equal to 1e-4.

Of 50 steps and fewer in every combination of settings; of all 1000, where errors would add up, with each setting at least once.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from degrade import CosineBeta, GaussianNoise, LinearBeta, State
from restore import Restorer
from samplers import DDIM, DDPM, DPMSolver, clip, sample
from tests.reference import noise, toy_eps

T = 1000
SHAPE = (2, 3, 8, 12)
SCHEDULES = {"linear": LinearBeta(T), "squaredcos_cap_v2": CosineBeta(T)}


def theirs(scheduler, count: int, generator: torch.Generator, **step) -> tuple[torch.Tensor, list[int]]:
    scheduler.set_timesteps(count)
    x = noise(SHAPE)
    for k in scheduler.timesteps:
        x = scheduler.step(toy_eps(x, int(k)), k, x, generator=generator, **step).prev_sample
    return x, [int(k) for k in scheduler.timesteps]


def ours(sampler, schedule, kept: list[int], generator: torch.Generator, clipped: bool) -> torch.Tensor:
    degradation = GaussianNoise(schedule)
    restore = Restorer(lambda x, t: toy_eps(x, round(float(t[0]) * T) - 1), degradation, "eps", "float32")
    times = torch.tensor([(k + 1) / T for k in sorted(kept, reverse=True)] + [0.0], dtype=torch.float64)
    return sample(
        sampler, clip(restore) if clipped else restore, degradation, State(noise(SHAPE), ()), times, generator=generator
    )


def compare(sampler, scheduler, schedule, count: int, clipped: bool, **step) -> None:
    expected, kept = theirs(scheduler, count, torch.Generator().manual_seed(3), **step)
    x = ours(sampler, schedule, kept, torch.Generator().manual_seed(3), clipped)
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-4 * max(1.0, float(expected.abs().max())))


BETAS = {"num_train_timesteps": T, "beta_start": 1e-4, "beta_end": 0.02}


@pytest.mark.parametrize(
    ("variance", "count", "clipped"),
    [*product(("small", "large"), (50,), (True, False)), ("small", T, False), ("large", T, True)],
)
def test_ddpm(variance, count, clipped):
    scheduler = DDPMScheduler(**BETAS, variance_type=f"fixed_{variance}", clip_sample=clipped, timestep_spacing="leading")
    compare(DDPM(variance), scheduler, SCHEDULES["linear"], count, clipped)


@pytest.mark.parametrize(
    ("eta", "count", "name", "clipped"),
    [
        *product((0.0, 0.6, 1.0), (50, 7), SCHEDULES, (True, False)),
        *((0.0, T, "linear", True), (0.0, T, "squaredcos_cap_v2", False)),
        *((0.6, T, "linear", False), (1.0, T, "squaredcos_cap_v2", True)),
    ],
)
def test_ddim(eta, count, name, clipped):
    scheduler = DDIMScheduler(**BETAS, beta_schedule=name, clip_sample=clipped, timestep_spacing="leading")
    compare(DDIM(eta), scheduler, SCHEDULES[name], count, clipped, eta=eta, use_clipped_model_output=clipped)


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("count", [50, 20, 10])
def test_dpm_solver(count, spacing):
    scheduler = DPMSolverMultistepScheduler(**BETAS, timestep_spacing=spacing, final_sigmas_type="zero")
    assert (scheduler.config.algorithm_type, scheduler.config.solver_order) == ("dpmsolver++", 2)
    compare(DPMSolver(), scheduler, SCHEDULES["linear"], count, clipped=False)
