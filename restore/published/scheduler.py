"""The process that a published model was trained on, and how it is sampled, from its scheduler_config.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from degrade import Betas, GaussianNoise, RectifiedFlow
from degrade.lazy import torch
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

    def most(self, wanted: int) -> int:
        """Steps of sampling, `wanted` or as many fewer as the levels ask for."""
        grid = self.sampling.grid
        return grid.most(wanted) if isinstance(grid, Spaced) else min(wanted, self.steps)


def process(config: Mapping[str, Any], offset: int | None = None) -> Process:
    """What a scheduler's configuration says, in this project's words.

    offset: that of leading levels, where a pipeline insists on one (Stable Diffusion's on 1). Schedulers of several kinds are
    read, those that add nothing to what is here as the nearest sampler: PNDM as DDIM, and Euler, which for such noise is DDIM,
    ancestral with eta = 1. What a scheduler does not take, but another does, is a leftover of that one and changes nothing, as
    in diffusers. Raises ValueError in one line for other schedulers, and for entries that would change what is sampled, or that
    none of them takes.
    """
    name = config.get("_class_name")
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"the scheduler {str(name)[:60]!r} is not read: known are {', '.join(KINDS)}.")
    kind = KINDS[name]
    given = {key: value for key, value in config.items() if not key.startswith("_")}
    for key, value in given.items():
        if (key in kind.off or key not in ENTRIES) and value is not None and value is not False:
            raise ValueError(f"{name} has the entry {key[:40]!r}: {str(value)[:40]!r}, which this project does not know.")
    settings = _Settings(name, {**kind.defaults, **{key: value for key, value in given.items() if key in kind.defaults}})
    return kind.read(settings, offset)


class _Settings(NamedTuple):
    name: str
    values: Mapping[str, Any]
    """Those that the scheduler takes."""

    def number(self, key: str, whole: bool = False) -> Any:
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"{key} of {self.name} is a {'whole ' * whole}number, got {str(value)[:40]!r}.")
        return value

    def flag(self, key: str, otherwise: bool = False) -> bool:
        """`otherwise` where the scheduler has no such entry."""
        value = self.values.get(key, otherwise)
        if not isinstance(value, bool | None):
            raise ValueError(f"{key} of {self.name} is true or false, got {str(value)[:40]!r}.")
        return bool(value)

    def one_of(self, key: str, known: Mapping[Any, Any]) -> Any:
        value = self.values[key]
        if not isinstance(value, str | bool | int | None) or value not in known:
            raise ValueError(f"{key} of {self.name} is one of {', '.join(map(str, known))}, got {str(value)[:40]!r}.")
        return known[value]


def _discrete(
    settings: _Settings,
    offset: int | None,
    sampler: Sampler,
    beyond: int = 0,
    linspace: str = "linspace",
) -> Process:
    """Of models that were trained on levels of noise; linspace: how those of that name are spread."""
    steps = settings.number("num_train_timesteps", whole=True)
    clip, threshold = _bounds(settings)
    betas = Betas(
        settings.one_of("beta_schedule", BETAS),
        settings.number("beta_start"),
        settings.number("beta_end"),
        steps,
        settings.flag("rescale_betas_zero_snr"),
    )
    spacing = settings.one_of("timestep_spacing", {"leading": "leading", "trailing": "trailing", "linspace": linspace})
    grid = Spaced(
        spacing,
        steps,
        settings.number("steps_offset", whole=True) if offset is None else offset,
        beyond,
        last=0 if settings.flag("set_alpha_to_one", otherwise=True) else 1,
    )
    if not grid.most(1):
        raise ValueError(f"steps_offset of {settings.name} leads beyond the {steps} levels that there are: {grid.offset}.")
    sampling = Sampling(sampler, grid=grid, clip=clip, threshold=threshold)
    return Process(GaussianNoise(betas), settings.one_of("prediction_type", PREDICTIONS), sampling, steps)


def _bounds(settings: _Settings) -> tuple[bool, float]:
    """Whether estimates are clamped, and the quantile of dynamic thresholding, whose s lies between 1 and sample_max_value: by
    default 1, with which it is the clamp to [-1, 1]."""
    if settings.flag("thresholding"):
        most = settings.number("sample_max_value")
        if most not in (1, math.inf):
            raise ValueError(f"sample_max_value of {settings.name} is 1 here, or Infinity, with thresholding; got {most}.")
        return True, settings.number("dynamic_thresholding_ratio") if most > 1 else 0.0
    clip = settings.flag("clip_sample")
    if clip and settings.number("clip_sample_range") != 1:
        raise ValueError(f"clip_sample_range of {settings.name} is 1 here, got {settings.values['clip_sample_range']}.")
    return clip, 0.0


def _ddim(settings: _Settings, offset: int | None) -> Process:
    return _discrete(settings, offset, DDIM())


def _ancestral(settings: _Settings, offset: int | None) -> Process:
    """sigma_up^2 = sigma_s^2 (sigma_t^2 - sigma_s^2)/sigma_t^2, sigma = std/alpha, is DDIM's fresh noise at eta = 1."""
    return _discrete(settings, offset, DDIM(eta=1.0), linspace="even")


def _ddpm(settings: _Settings, offset: int | None) -> Process:
    variance = settings.one_of("variance_type", {"fixed_small": "small", "fixed_small_log": "small", "fixed_large": "large"})
    return _discrete(settings, offset, DDPM(variance))


def _euler(settings: _Settings, offset: int | None) -> Process:
    settings.one_of("final_sigmas_type", {"zero": None})
    settings.one_of("interpolation_type", {"linear": None})
    made = _discrete(settings, offset, DDIM(), linspace="even")
    known = ("discrete",) if made.prediction == "v" else ("discrete", "continuous")  # which is told to networks of v alone
    settings.one_of("timestep_type", dict.fromkeys(known))
    return made


def _dpm_solver(settings: _Settings, offset: int | None) -> Process:
    settings.one_of("algorithm_type", {"dpmsolver++": None})
    settings.one_of("solver_type", dict.fromkeys(("midpoint", "logrho", "bh1", "bh2")))  # others' are taken for the first
    settings.one_of("final_sigmas_type", {"zero": None})
    made = _discrete(settings, offset, settings.one_of("solver_order", {1: DDIM(), 2: DPMSolver()}), beyond=1)
    alpha, sigma = made.degradation.coefficients(torch.ones(1, dtype=torch.float64))
    least, lowest = settings.number("lambda_min_clipped"), float(alpha.log() - sigma.log())
    if not least <= lowest:
        raise ValueError(
            f"lambda_min_clipped of {settings.name} is at most {lowest:.4g} here, to leave no level out, got {least}."
        )
    return made


def _flow(settings: _Settings, offset: int | None) -> Process:
    steps = settings.number("num_train_timesteps", whole=True)
    grid = Shifted(settings.number("shift"), steps)
    return Process(GaussianNoise(RectifiedFlow()), "velocity", Sampling(Euler(), grid=grid, clip=False), steps)


class _Kind(NamedTuple):
    read: Callable[[_Settings, int | None], Process]
    defaults: Mapping[str, Any]
    ignored: tuple[str, ...] = ()
    """Entries that it takes, and that change nothing here."""
    off: tuple[str, ...] = ("trained_betas",)
    """Entries that it takes, and that are served as null or false alone."""


BETAS = {"linear": "linear", "scaled_linear": "scaled-linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
_LEVELS = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 0,
}
_NOISE = {**_LEVELS, "rescale_betas_zero_snr": False}
_THRESHOLD = {"thresholding": False, "dynamic_thresholding_ratio": 0.995, "sample_max_value": 1.0}
_CLIP = {"clip_sample": True, "clip_sample_range": 1.0}
_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
KINDS = {
    "DDIMScheduler": _Kind(_ddim, {**_NOISE, **_THRESHOLD, **_CLIP, "set_alpha_to_one": True}),
    "PNDMScheduler": _Kind(_ddim, {**_LEVELS, "set_alpha_to_one": False}, ("skip_prk_steps",)),
    "EulerDiscreteScheduler": _Kind(
        _euler,
        {
            **_NOISE,
            "timestep_spacing": "linspace",
            "timestep_type": "discrete",
            "interpolation_type": "linear",
            "final_sigmas_type": "zero",
        },
        ("sigma_min", "sigma_max"),
        ("trained_betas", *_SIGMAS),
    ),
    "EulerAncestralDiscreteScheduler": _Kind(_ancestral, {**_NOISE, "timestep_spacing": "linspace"}),
    "DDPMScheduler": _Kind(_ddpm, {**_NOISE, **_THRESHOLD, **_CLIP, "variance_type": "fixed_small"}),
    "DPMSolverMultistepScheduler": _Kind(
        _dpm_solver,
        {
            **_NOISE,
            **_THRESHOLD,
            "timestep_spacing": "linspace",
            "algorithm_type": "dpmsolver++",
            "solver_type": "midpoint",
            "solver_order": 2,
            "final_sigmas_type": "zero",
            "lambda_min_clipped": -math.inf,
        },
        ("lower_order_final", "euler_at_final", "variance_type", "flow_shift", "time_shift_type"),
        ("trained_betas", *_SIGMAS, "use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting"),
    ),
    "FlowMatchEulerDiscreteScheduler": _Kind(
        _flow,
        {"num_train_timesteps": 1000, "shift": 1.0},
        ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"),
        (*_SIGMAS, "use_dynamic_shifting", "invert_sigmas", "shift_terminal", "stochastic_sampling"),
    ),
}
"""The schedulers that are read, each with what its entries are unless they are given."""
ENTRIES = {
    *(key for kind in KINDS.values() for key in (*kind.defaults, *kind.ignored, *kind.off)),
    *("disable_corrector", "predict_x0", "solver_p", "rho", "sigma_data", "sigma_schedule"),
}
"""What schedulers take, these and those that diffusers makes of their configurations."""
