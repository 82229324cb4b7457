"""How a pipeline samples, unless it is told otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from degrade.checks import bounded
from restore.own_types import setting
from samplers import DDIM, GRIDS, SAMPLERS, Sampler, TimeGrid, Uniform


@dataclass(frozen=True)
class Sampling:
    """Settings of the walk back."""

    sampler: Annotated[Sampler, setting(Sampler, SAMPLERS)] = field(default_factory=DDIM)
    """The step rule."""
    steps: int = 25
    """Steps of the walk back."""
    grid: Annotated[TimeGrid, setting(TimeGrid, GRIDS)] = field(default_factory=Uniform)
    """The severities that the walk passes through."""
    clip: bool = True
    """Clamp the restorer's estimate to the range of images at every step."""
    pad_to: int = 1
    """Pad the sides with zeros to a multiple of this for the restorer."""
    guidance: float = 1.0
    """Weight of the condition: 1 as learned, more for plainer examples of it (classifier-free guidance)."""
    picture_guidance: float = 1.0
    """Weight of the picture that a network is told beside words: more stays nearer to it (InstructPix2Pix, 1.5)."""
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    """Guidance acts at severities above the first and up to the second."""
    rescale: float = 0.0
    """Share by which a guided output gets the deviation of the conditional one, against too strong colours (.7 is usual)."""
    threshold: float = 0.0
    """Where estimates are clamped: the quantile of an image's values that may lie beyond the range, which then are all divided
    (dynamic thresholding, .995); 0 for the range itself."""

    captured: bool = False
    """Whether the restorer's call is recorded once as a CUDA graph and replayed, on a GPU: for small networks."""

    def __post_init__(self) -> None:
        low, high = self.guidance_interval
        if not (self.guidance >= 0 and 0 <= low < high <= 1):
            raise ValueError(f"guidance is >= 0, its interval rises within [0, 1]; got {self.guidance} and ({low}, {high}).")
        if self.steps < 1 or self.pad_to < 1:
            raise ValueError(f"steps and pad_to are at least 1, got {self.steps} and {self.pad_to}.")
        bounded(
            self,
            steps=(1, 100_000),
            pad_to=(1, 256),
            guidance=(0, 1000),
            picture_guidance=(0, 1000),
            rescale=(0, 1),
            threshold=(0, 1),
        )
