"""The trained restorer: a network under a parametrisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from degrade.lazy import torch
from degrade.protocols import Degradation, Legible
from degrade.severity import per_sample
from models.condition import Condition
from restore.filling import filled
from restore.parametrisation import Prediction, parametrisation

if TYPE_CHECKING:
    from torch import Tensor

    from restore.parametrisation import Parametrisation

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Restorer:
    """R(x_t, t) -> x0_hat = c_skip x_t + c_out net(c_in x_t, t), in the dtype of x_t; the network runs in `precision`.

    With "detail" the picture of its condition is added to that: what is predicted is the rest.
    It takes t in float32, also where x_t is bfloat16, which knows three digits of t. `given` binds a condition.
    Raises ValueError on construction where the degradation does not allow the prediction.
    """

    network: Callable[..., Tensor]
    degradation: Degradation
    prediction: Prediction = "x0"
    precision: Precision = "float32"
    condition: Condition | None = None

    def __post_init__(self) -> None:
        _ = self.triple

    @cached_property
    def triple(self) -> Parametrisation:
        return parametrisation(self.prediction, self.degradation)

    @property
    def accepts(self) -> tuple[str, ...]:
        """The parts of a condition that the network takes."""
        return getattr(self.network, "accepts", ())

    def given(self, condition: Condition) -> Restorer:
        """The restorer conditioned on `condition`, one entry for each image of the batches that it restores.

        Raises ValueError for parts that the network does not accept, and for shapes and dtypes that are none of a condition.
        """
        condition.check()
        refused = [part for part in condition.parts if part not in self.accepts]
        if refused:
            name = getattr(self.network, "__name__", type(self.network).__name__)
            accepts = ", ".join(self.accepts) or "no condition"
            raise ValueError(
                f"{name} accepts {accepts}, got {', '.join(refused)}: leave that out, or build a network that accepts it."
            )
        return replace(self, condition=condition if condition.parts else None)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        c_skip, c_out, c_in = (per_sample(c, x_t) for c in self.triple(t))
        x, missing = self.seen(x_t, t)
        return self._told(x, c_skip * x) + c_out * missing * self.output(c_in * x, t)

    def output_and_target(self, x_t: Tensor, x0: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The network's output, what it should have been, and c_out (B,): what an objective compares, for t > 0."""
        coefficients = self.triple(t)
        c_skip, c_out, c_in = (per_sample(c, x_t) for c in coefficients)
        x, missing = self.seen(x_t, t)
        output, target = self.output(c_in * x, t), (x0 - self._told(x, c_skip * x)) / c_out
        if isinstance(missing, torch.Tensor):
            output, target = missing * output, missing * target
        return output, target, coefficients[1]

    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | float]:
        """What the network sees, and where its output counts: x_t, and everywhere.

        With prediction "missing": x_t undone where that is possible and filled smoothly elsewhere, and where it is filled.
        """
        if self.prediction != "missing" or not isinstance(self.degradation, Legible):
            return x_t, 1.0
        with torch.no_grad():
            latent = self.degradation.read(x_t, t)
        undone, known = self.degradation.undo(x_t, t, latent)
        return filled(undone, known), 1 - known

    def _told(self, x_t: Tensor, skipped: Tensor) -> Tensor:
        """What is known of x0 without the network: `skipped`, and with "detail" the picture that it is told."""
        picture = None if self.condition is None or self.prediction != "detail" else self.condition.image
        if picture is None:
            return skipped
        if picture.shape != x_t.shape:
            raise ValueError(f"detail is added to a picture of shape {tuple(x_t.shape)}, got {tuple(picture.shape)}.")
        return skipped + picture.to(x_t)

    def output(self, x: Tensor, t: Tensor) -> Tensor:
        condition = () if self.condition is None else (self.condition,)
        if self.condition is not None and self.condition.batch != len(x):
            raise ValueError(
                f"the condition is of {self.condition.batch} images, the batch of {len(x)}: give one entry per image."
            )
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.network(x, t.float(), *condition).to(x.dtype)
