"""The process that a published model was trained on, and how it is sampled, from its scheduler_config.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from degrade import Betas, GaussianNoise, RectifiedFlow
from restore.parametrisation import Prediction
from restore.sampling import Sampling
from samplers import DDIM, DDPM, DPMSolver, Euler, Sampler, Shifted, Spaced


class Process(NamedTuple):
    """Degradation, what the network predicts, and how it is sampled, but for the number of steps."""

    degradation: GaussianNoise
    prediction: Prediction
    sampling: Sampling
    steps: int
    """Of the published process: T."""


def process(config: Mapping[str, Any], offset: int | None = None) -> Process:
    """What a scheduler's configuration says, in this project's words.

    offset: that of leading levels, where a pipeline insists on one (Stable Diffusion's on 1). Schedulers of several kinds are
    read, those that add nothing to what is here as the nearest sampler: PNDM as DDIM, and Euler, which for such noise is DDIM,
    ancestral with eta = 1.
    Raises ValueError in one line for other schedulers, and for entries that would change what is sampled.
    """
    name = config.get("_class_name")
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"the scheduler {str(name)[:60]!r} is not read: known are {', '.join(KINDS)}.")
    kind = KINDS[name]
    given = {key: value for key, value in config.items() if not key.startswith("_")}
    for key, value in given.items():
        if key not in kind.defaults and key not in kind.ignored and value is not None and value is not False:
            raise ValueError(f"{name} has the entry {key[:40]!r}: {str(value)[:40]!r}, which this project does not know.")
    settings = _Settings(name, {**kind.defaults, **given})
    return kind.read(settings, offset)


class _Settings(NamedTuple):
    name: str
    values: Mapping[str, Any]

    def number(self, key: str, whole: bool = False) -> Any:
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"{key} of {self.name} is a {'whole ' * whole}number, got {str(value)[:40]!r}.")
        return value

    def flag(self, key: str) -> bool:
        value = self.values[key]
        if not isinstance(value, bool | None):
            raise ValueError(f"{key} of {self.name} is true or false, got {str(value)[:40]!r}.")
        return bool(value)

    def one_of(self, key: str, known: Mapping[Any, Any]) -> Any:
        value = self.values[key]
        if not isinstance(value, str | bool | int | None) or value not in known:
            raise ValueError(f"{key} of {self.name} is one of {', '.join(map(str, known))}, got {str(value)[:40]!r}.")
        return known[value]


def _discrete(settings: _Settings, offset: int | None, sampler: Sampler, beyond: int = 0) -> Process:
    """Of models that were trained on levels of noise."""
    steps = settings.number("num_train_timesteps", whole=True)
    clip, dynamic = settings.flag("clip_sample"), settings.flag("thresholding")
    if clip and settings.number("clip_sample_range") != 1:
        raise ValueError(f"clip_sample_range of {settings.name} is 1 here, got {settings.values['clip_sample_range']}.")
    betas = Betas(
        settings.one_of("beta_schedule", BETAS),
        settings.number("beta_start"),
        settings.number("beta_end"),
        steps,
        settings.flag("rescale_betas_zero_snr"),
    )
    spacing = settings.one_of("timestep_spacing", {one: one for one in ("leading", "trailing", "linspace")})
    grid = Spaced(
        spacing,
        steps,
        settings.number("steps_offset", whole=True) if offset is None else offset,
        beyond,
        last=0 if settings.flag("set_alpha_to_one") else 1,
    )
    threshold = settings.number("dynamic_thresholding_ratio") if dynamic else 0.0
    sampling = Sampling(sampler, grid=grid, clip=clip or dynamic, threshold=threshold)
    return Process(GaussianNoise(betas), settings.one_of("prediction_type", PREDICTIONS), sampling, steps)


def _ddim(settings: _Settings, offset: int | None) -> Process:
    return _discrete(settings, offset, DDIM())


def _ancestral(settings: _Settings, offset: int | None) -> Process:
    """sigma_up^2 = sigma_s^2 (sigma_t^2 - sigma_s^2)/sigma_t^2, sigma = std/alpha, is DDIM's fresh noise at eta = 1. It ends
    clean, and clips nothing, whatever entries of other schedulers are left."""
    unread = {"set_alpha_to_one": True, "clip_sample": False, "thresholding": False}
    return _discrete(settings._replace(values={**settings.values, **unread}), offset, DDIM(eta=1.0))


def _ddpm(settings: _Settings, offset: int | None) -> Process:
    variance = settings.one_of("variance_type", {"fixed_small": "small", "fixed_small_log": "small", "fixed_large": "large"})
    return _discrete(settings, offset, DDPM(variance))


def _dpm_solver(settings: _Settings, offset: int | None) -> Process:
    settings.one_of("algorithm_type", {"dpmsolver++": None})
    settings.one_of("solver_type", {"midpoint": None})
    settings.one_of("final_sigmas_type", {"zero": None})
    return _discrete(settings, offset, settings.one_of("solver_order", {1: DDIM(), 2: DPMSolver()}), beyond=1)


def _flow(settings: _Settings, offset: int | None) -> Process:
    steps = settings.number("num_train_timesteps", whole=True)
    grid = Shifted(settings.number("shift"), steps)
    return Process(GaussianNoise(RectifiedFlow()), "velocity", Sampling(Euler(), grid=grid, clip=False), steps)


class _Kind(NamedTuple):
    read: Callable[[_Settings, int | None], Process]
    defaults: Mapping[str, Any]
    ignored: tuple[str, ...] = ()
    """Entries that change nothing here."""


BETAS = {"linear": "linear", "scaled_linear": "scaled-linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
_NOISE = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 0,
    "set_alpha_to_one": True,
    "clip_sample": False,
    "clip_sample_range": 1.0,
    "thresholding": False,
    "dynamic_thresholding_ratio": 0.995,
    "rescale_betas_zero_snr": False,
}
_SOLVER = {"algorithm_type": "dpmsolver++", "solver_type": "midpoint", "solver_order": 2, "final_sigmas_type": "zero"}
_RANGE = ("sample_max_value",)
KINDS = {
    "DDIMScheduler": _Kind(_ddim, {**_NOISE, "clip_sample": True}, (*_RANGE, "skip_prk_steps")),
    "PNDMScheduler": _Kind(_ddim, {**_NOISE, "set_alpha_to_one": False}, ("skip_prk_steps",)),
    "EulerDiscreteScheduler": _Kind(
        _ddim,
        {**_NOISE, "timestep_spacing": "linspace", "timestep_type": "discrete", "interpolation_type": "linear"},
        ("final_sigmas_type", "skip_prk_steps", "sample_max_value", "sigma_min", "sigma_max"),
    ),
    "EulerAncestralDiscreteScheduler": _Kind(
        _ancestral,
        {**_NOISE, "timestep_spacing": "linspace"},
        (
            *_SOLVER,
            *_RANGE,
            "skip_prk_steps",
            "lower_order_final",
            "interpolation_type",
            "timestep_type",
            "sigma_min",
            "sigma_max",
        ),
    ),
    "DDPMScheduler": _Kind(_ddpm, {**_NOISE, "clip_sample": True, "variance_type": "fixed_small"}, _RANGE),
    "DPMSolverMultistepScheduler": _Kind(
        _dpm_solver,
        {**_NOISE, **_SOLVER, "timestep_spacing": "linspace"},
        (*_RANGE, "lower_order_final", "lambda_min_clipped", "skip_prk_steps", "time_shift_type", "flow_shift"),
    ),
    "FlowMatchEulerDiscreteScheduler": _Kind(
        _flow,
        {"num_train_timesteps": 1000, "shift": 1.0},
        ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"),
    ),
}
"""The schedulers that are read, each with what its entries are unless they are given."""
