"""Schedulers' configurations, as published models come with them, and as diffusers writes them."""

from __future__ import annotations

import json

import diffusers
import pytest

from degrade import Betas, GaussianNoise, RectifiedFlow
from restore.published.scheduler import KINDS, process
from samplers import DDIM, DDPM, DPMSolver, Euler, Shifted, Spaced

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
LINEAR = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000, "trained_betas": None}
NOT_ONE = {"clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True, "trained_betas": None}
SOLVER = {
    "algorithm_type": "dpmsolver++",
    "lambda_min_clipped": float("-inf"),
    "lower_order_final": True,
    "sample_max_value": 1.0,
    "solver_order": 2,
    "timestep_spacing": "linspace",
    "use_karras_sigmas": False,
    "variance_type": None,
}
PUBLISHED = {
    "Stable Diffusion 1.5": (
        {"_class_name": "PNDMScheduler", **SD, **NOT_ONE, "steps_offset": 1},
        (Betas(), "eps", DDIM(), Spaced(offset=1, last=1), False),
    ),
    "Stable Diffusion 1.4, without an offset": (
        {"_class_name": "PNDMScheduler", **SD, **NOT_ONE},
        (Betas(), "eps", DDIM(), Spaced(offset=1, last=1), False),
    ),
    "Stable Diffusion 2.1": (
        {"_class_name": "DDIMScheduler", **SD, **NOT_ONE, "steps_offset": 1, "prediction_type": "v_prediction"},
        (Betas(), "v", DDIM(), Spaced(offset=1, last=1), False),
    ),
    "DDPM": (
        {"_class_name": "DDPMScheduler", **LINEAR, "clip_sample": True, "variance_type": "fixed_large"},
        (Betas("linear", 1e-4, 0.02), "eps", DDPM("large"), Spaced(), True),
    ),
    "PixArt": (
        {"_class_name": "DPMSolverMultistepScheduler", **LINEAR, **SOLVER},
        (Betas("linear", 1e-4, 0.02), "eps", DPMSolver(), Spaced("linspace", beyond=1), False),
    ),
    "InstructPix2Pix, with entries of another scheduler": (
        {
            "_class_name": "EulerAncestralDiscreteScheduler",
            **SD,
            **NOT_ONE,
            "algorithm_type": "dpmsolver++",
            "dynamic_thresholding_ratio": 0.995,
            "lower_order_final": True,
            "prediction_type": "epsilon",
            "sample_max_value": 1.0,
            "solver_order": 2,
            "solver_type": "midpoint",
            "steps_offset": 1,
            "thresholding": False,
        },
        (Betas(), "eps", DDIM(eta=1.0), Spaced("linspace", offset=1), False),
    ),
    "Stable Diffusion 3": (
        {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0},
        (RectifiedFlow(), "velocity", Euler(), Shifted(3.0), False),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    config, expected = PUBLISHED[name]
    made = process(config, offset=1 if "Diffusion 1" in name else None)
    sampling = made.sampling
    assert (made.degradation, made.prediction) == (GaussianNoise(expected[0]), expected[1])
    assert (sampling.sampler, sampling.grid, sampling.clip) == expected[2:] and sampling.threshold == 0


@pytest.mark.parametrize("name", KINDS)
def test_what_diffusers_writes_is_read(name):
    """With its defaults, all of whose entries are known; the same as without them."""
    written = json.loads(getattr(diffusers, name)().to_json_string())
    assert process(written) == process({"_class_name": name})


def test_dynamic_threshold():
    made = process({"_class_name": "DDIMScheduler", "thresholding": True, "dynamic_thresholding_ratio": 0.99})
    assert made.sampling.threshold == 0.99 and made.sampling.clip
