"""One degradation after another, each on its own curve of severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from degrade.checks import bounded, checked
from degrade.priors import ImagePrior
from degrade.protocols import Degradation, Mixing
from degrade.severity import wide

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.random import Random


MOST_STAGES = 64


@dataclass(frozen=True)
class Curve:
    """The severity of a stage when that of the whole is t: ((t - start) / (end - start))^power, held within [0, 1]."""

    start: float = 0.0
    """Where the stage begins, in severity of the whole."""
    end: float = 1.0
    """Where it is complete."""
    power: float = 1.0
    """Above 1 it sets in slowly, below 1 at once."""

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.end <= 1 and self.power > 0):
            raise ValueError(
                f"a curve needs 0 <= start < end <= 1 and power > 0, got {self.start}, {self.end} and {self.power}."
            )
        bounded(self, power=(0, 1000))

    def __call__(self, t: Tensor) -> Tensor:
        return ((wide(t) - self.start) / (self.end - self.start)).clamp(0, 1) ** self.power


@dataclass(frozen=True)
class Stage:
    """One link of the chain."""

    operator: Degradation
    """What is done."""
    curve: Curve = Curve()
    """When."""


@dataclass(frozen=True)
class Compose:
    """x_t = D_n(... D_1(x0, c_1(t), z_1) ..., c_n(t), z_n), c_i the curve of stage i.

    The latent is the tuple of the stages' latents; all are drawn for the clean image.

        Compose((Stage(GaussianBlur(4.0)), Stage(GaussianNoise(RectifiedFlow()), Curve(end=0.5))))
    """

    stages: tuple[Stage, ...]
    """The links, first done first."""

    def __post_init__(self) -> None:
        if len(self.stages) > MOST_STAGES:
            raise ValueError(f"Compose has at most {MOST_STAGES} stages, got {len(self.stages)}.")
        if not self.stages:
            raise ValueError("Compose needs at least one stage: Compose((Stage(GaussianBlur()), ...)).")

    @property
    def partners(self) -> int:
        """Other images that the stages mix in, together."""
        return sum(stage.operator.partners for stage in self.stages if isinstance(stage.operator, Mixing))

    def draw(self, x0: Tensor, generator: Random = None) -> tuple:
        return tuple(stage.operator.draw(x0, generator) for stage in self.stages)

    @checked
    def __call__(self, x0: Tensor, t: Tensor, latent: tuple) -> Tensor:
        if len(latent) != len(self.stages):
            raise ValueError(f"Compose has {len(self.stages)} stages, its latent has {len(latent)} parts: draw it with draw().")
        x = x0
        for stage, z in zip(self.stages, latent, strict=True):
            x = stage.operator(x, stage.curve(t), z)
        return x

    def prior(self, images: Tensor) -> ImagePrior:
        """Images of the set, degraded."""
        return ImagePrior(images, self)
