"""The walk back: one driver, step rules, time grids, guides."""

from typing import TYPE_CHECKING, Union

from _thaw import own

own("degrade")

from samplers.dpm_solver import DPMSolver
from samplers.driver import OneStep, Sampler, Step, sample
from samplers.first_order import DDIM, DDPM, Improved, Naive
from samplers.flow import Euler, Heun, Midpoint
from samplers.guides import (
    Measurement,
    Method,
    Symmetry,
    clip,
    ilvr,
    known_pixels,
    likelihood,
    loss_guidance,
    pad_to,
    seamless,
    symmetric,
    telescoped,
    threshold,
)
from samplers.inversion import invert
from samplers.large.canvas import Canvas, CanvasError
from samplers.large.panorama import panorama
from samplers.large.pyramid import Scale, enlarge, pyramid, sizes
from samplers.large.tiles import blended, tiled
from samplers.pinned import Pinned
from samplers.published_times import Shifted, Spaced
from samplers.resampled import Resampled
from samplers.times import LogSNRUniform, Respaced, TimeGrid, Uniform, uniform
from samplers.trajectory import Trajectory

GRIDS = (Uniform, LogSNRUniform, Respaced, Spaced, Shifted)
"""The time grids that a checkpoint may name."""
SAMPLERS = (DDIM, DDPM, DPMSolver, Euler, Heun, Improved, Midpoint, Naive)
"""The samplers that a checkpoint may name."""
if TYPE_CHECKING:
    AnySampler = Sampler
else:
    AnySampler = Union[SAMPLERS]
    """Any sampler of the project."""

NAMED: dict[str, Sampler] = {
    "ddim": DDIM(),
    "ddpm": DDPM("small"),
    "ddpm-large": DDPM("large"),
    "dpm-solver++": DPMSolver(),
    "euler": Euler(),
    "heun": Heun(),
    "improved": Improved(),
    "midpoint": Midpoint(),
    "naive": Naive(),
}
"""The samplers by the names of the command line."""

__all__ = [
    "DDIM",
    "DDPM",
    "GRIDS",
    "NAMED",
    "SAMPLERS",
    "AnySampler",
    "Canvas",
    "CanvasError",
    "DPMSolver",
    "Euler",
    "Heun",
    "Improved",
    "LogSNRUniform",
    "Measurement",
    "Method",
    "Midpoint",
    "Naive",
    "OneStep",
    "Pinned",
    "Resampled",
    "Respaced",
    "Sampler",
    "Scale",
    "Shifted",
    "Spaced",
    "Step",
    "Symmetry",
    "TimeGrid",
    "Trajectory",
    "Uniform",
    "blended",
    "clip",
    "enlarge",
    "ilvr",
    "invert",
    "known_pixels",
    "likelihood",
    "loss_guidance",
    "pad_to",
    "panorama",
    "pyramid",
    "sample",
    "seamless",
    "sizes",
    "symmetric",
    "telescoped",
    "threshold",
    "tiled",
    "uniform",
]
