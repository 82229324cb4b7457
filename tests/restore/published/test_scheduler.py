"""Schedulers' configurations, as published models come with them, and as diffusers writes them."""

from __future__ import annotations

import inspect
import json
import math

import diffusers
import pytest
import torch

from degrade import Betas, GaussianNoise, RectifiedFlow
from restore.published.scheduler import ENTRIES, KINDS, process
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
        (Betas(), "eps", DDIM(eta=1.0), Spaced("even", offset=1), False),
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


@pytest.mark.parametrize("name", KINDS)
def test_every_entry_that_diffusers_takes_has_its_place(name):
    kind = KINDS[name]
    taken = set(inspect.signature(getattr(diffusers, name)).parameters)
    assert taken <= {*kind.defaults, *kind.ignored, *kind.off} and set(kind.defaults) <= taken


@pytest.mark.parametrize("name", KINDS)
def test_leftovers_of_other_schedulers_change_nothing(name):
    """Any entry that diffusers writes, and this scheduler does not take."""
    others = {kind for one in KINDS for kind in getattr(diffusers, one)().compatibles}
    entries = {entry for kind in others for entry in inspect.signature(kind).parameters} - {"args", "kwargs"}
    assert entries <= ENTRIES
    leftovers = entries - set(inspect.signature(getattr(diffusers, name)).parameters)
    plain = {"_class_name": name}
    assert leftovers and process({**plain, **dict.fromkeys(leftovers, 7)}) == process(plain)
    with pytest.raises(ValueError, match=f"{name} has the entry 'use_frobnication': 'True', which this project does not know"):
        process({**plain, "use_frobnication": True})


EULER, SOLVER_NAME = "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"
REFUSED = {
    "interpolation_type of Euler.* is one of linear, got 'log_linear'": (EULER, {"interpolation_type": "log_linear"}),
    "timestep_type of Euler.* is one of discrete, got 'continuous'": (
        EULER,
        {"timestep_type": "continuous", "prediction_type": "v_prediction"},
    ),
    "final_sigmas_type of Euler.* is one of zero, got 'sigma_min'": (EULER, {"final_sigmas_type": "sigma_min"}),
    "Euler.* has the entry 'use_karras_sigmas'": (EULER, {"use_karras_sigmas": True}),
    "final_sigmas_type of DPM.* is one of zero, got 'sigma_min'": (SOLVER_NAME, {"final_sigmas_type": "sigma_min"}),
    "lambda_min_clipped of DPM.* is at most -9.9.* here, to leave no level out, got -5.1": (
        SOLVER_NAME,
        {"lambda_min_clipped": -5.1, "beta_schedule": "squaredcos_cap_v2"},
    ),
    "sample_max_value of DDIM.* is 1 here, or Infinity, with thresholding; got 1.5": (
        "DDIMScheduler",
        {"thresholding": True, "sample_max_value": 1.5},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_would_change_the_samples_is_refused(message):
    name, entries = REFUSED[message]
    with pytest.raises(ValueError, match=message) as raised:
        process({"_class_name": name, **entries})
    assert "\n" not in str(raised.value)


UNCHANGED = [
    (EULER, {"timestep_type": "continuous"}),  # told to networks of v alone
    (EULER, {"sigma_min": 0.03, "sigma_max": 14.6, "clip_sample": True, "thresholding": True, "set_alpha_to_one": False}),
    (SOLVER_NAME, {"lambda_min_clipped": -5.1}),  # linear betas end at -5.06
    (SOLVER_NAME, {"sample_max_value": 1.5, "clip_sample": True, "set_alpha_to_one": False}),
    (SOLVER_NAME, {"solver_type": "logrho", "lower_order_final": False, "euler_at_final": True}),
    ("DDPMScheduler", {"set_alpha_to_one": False}),
    ("PNDMScheduler", {"rescale_betas_zero_snr": True, "clip_sample": True, "thresholding": True}),
]


@pytest.mark.parametrize(("name", "entries"), UNCHANGED)
def test_what_changes_nothing_is_let_through(name, entries):
    """Held to diffusers' levels of noise too."""
    assert process({"_class_name": name, **entries}) == process({"_class_name": name})
    plain, given = (getattr(diffusers, name).from_config(each) for each in ({}, entries))
    for scheduler in (plain, given):
        scheduler.set_timesteps(10)
    assert torch.equal(plain.timesteps, given.timesteps)
    assert name not in (EULER, SOLVER_NAME) or torch.equal(plain.sigmas, given.sigmas)


def test_dynamic_threshold():
    """s lies between 1 and sample_max_value, 1 by default: then it is a clamp."""
    dynamic = {"_class_name": "DDIMScheduler", "thresholding": True, "dynamic_thresholding_ratio": 0.99}
    assert process(dynamic).sampling == process({"_class_name": "DDIMScheduler", "clip_sample": True}).sampling
    made = process({**dynamic, "sample_max_value": math.inf})
    assert made.sampling.threshold == 0.99 and made.sampling.clip


@pytest.mark.parametrize("name", ["DDIMScheduler", SOLVER_NAME])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize(("steps", "offset"), [(1000, 1), (1000, 0), (40, 1), (100, 2), (10, 4), (3, 1)])
def test_the_default_number_of_steps_is_one_that_there_are_levels_for(steps, offset, spacing, name):
    """The most of those up to what was asked for; of one more, diffusers' levels lie beyond the process too."""
    config = {"num_train_timesteps": steps, "steps_offset": offset, "timestep_spacing": spacing}
    made = process({"_class_name": name, **config})
    scheduler = getattr(diffusers, name)(**config)
    for wanted in (2 * steps, 1000, 50, 1):
        count = made.most(wanted)
        assert 1 <= count <= min(wanted, steps)
        made.sampling.grid.times(count, 1.0, made.degradation)
        if count < min(wanted, steps) - (name == SOLVER_NAME):
            scheduler.set_timesteps(count + 1)
            assert int(scheduler.timesteps.max()) >= steps


def test_an_offset_beyond_all_levels_is_refused():
    with pytest.raises(ValueError, match="steps_offset of DDIMScheduler leads beyond the 10 levels that there are: 10"):
        process({"_class_name": "DDIMScheduler", "num_train_timesteps": 10, "steps_offset": 10})
