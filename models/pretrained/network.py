"""What a published denoiser offers, whichever it is: net(x, t, condition), as the networks of this project."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch

from models.condition import Condition

if TYPE_CHECKING:
    from torch import Tensor, nn

Load = Callable[[], Any]
"""Gives the module of the published library, loaded at the first call."""


@contextmanager
def running(module: nn.Module) -> Iterator[None]:
    """What `module` raises inside becomes a ValueError in one line: its configuration, or what it is given, does not fit. But
    for what says nothing of these: that memory ran out, or that it needs tensors with content ("meta tensors" have none)."""
    try:
        yield
    except (RuntimeError, TypeError, LookupError, AttributeError) as error:
        if "memory" in str(error) or "meta tensor" in str(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{type(module).__name__} cannot be run as it is configured: {reason}") from error


class Encoding(NamedTuple):
    """What a text encoder makes of B prompts."""

    tokens: Tensor
    """The last layer's (B, L, D), normalised."""
    inner: Tensor
    """Those of the layer before it (B, L, D)."""
    mask: Tensor
    """(B, L), False where there is no token."""
    pooled: Tensor | None = None
    """One vector (B, D') for each prompt."""


@dataclass(frozen=True, eq=False)
class Denoiser(ABC):
    """A published network. Its file says what its module is called with, and what it is conditioned on.

    Raises ValueError, in one line, on construction for a configuration that it does not serve.
    """

    load: Load
    config: Mapping[str, Any]
    time: Callable[[Tensor], Tensor]
    """A severity in [0, 1] as the network is told it: the 0-based level, or a time of flow."""

    place: ClassVar[str] = "unet"
    """Its name in model_index.json."""
    steps: ClassVar[int] = 50
    """Of its published sampling."""
    guidance: ClassVar[float] = 1.0
    """Of its published sampling."""
    offset: ClassVar[int | None] = None
    """Of leading levels, where its pipeline insists on one."""

    def __post_init__(self) -> None:
        for key in self.unserved:
            if self.config.get(key) not in (None, False):
                raise ValueError(
                    f"{type(self).__name__} with {key}={str(self.config[key])[:40]!r} is not served: leave out {key}."
                )

    squares: ClassVar[bool] = False
    """Whether it works on squares alone."""
    unserved: ClassVar[Sequence[str]] = ()
    """Entries of the configuration that ask for more than is told here."""

    def __call__(self, x: Tensor, t: Tensor, condition: Condition = Condition()) -> Tensor:  # noqa: B008
        """Its output for x (B, C, H, W), of that shape; what it says of the variance is left out."""
        module = self.load()
        with running(module):
            return self.output(module, x, self.time(t), condition)[:, : self.channels]

    @abstractmethod
    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """The module's own output."""

    @property
    def accepts(self) -> tuple[str, ...]:
        """The parts of a condition that it takes."""
        return ()

    @property
    def channels(self) -> int:
        """Of x."""
        return int(self.config["in_channels"])

    @property
    def picture_guidance(self) -> float:
        """Weight, in its published sampling, of a picture that it is told whole."""
        return 1.0

    @property
    def stride(self) -> int:
        """It works on sides, cells of x, that are a multiple of this."""
        return int(self.config.get("patch_size", 1))

    @property
    def size(self) -> tuple[int, int]:
        """Cells of x that it was trained on. Raises ValueError for what is neither one whole number nor two."""
        size = self.config.get("sample_size") or 64
        sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
        if len(sides) != 2 or any(isinstance(side, bool) or not isinstance(side, int) for side in sides):
            raise ValueError(
                f"sample_size of {type(self).__name__} is a whole number of cells, or two, got {str(size)[:40]!r}: write those "
                "that it was trained on."
            )
        return sides

    @property
    def classes(self) -> int:
        """That it knows."""
        return 0


class Reader(Denoiser):
    """One that is conditioned on words."""

    encoders: ClassVar[int] = 1
    """Text encoders that it reads: text_encoder, text_encoder_2, ..."""
    masked: ClassVar[bool] = False
    """Whether encoders that take any number of tokens are told which of them fill the prompt up."""

    @property
    def length(self) -> int:
        """Tokens of a prompt, for encoders that take any number."""
        return 77

    def read(self, prompt: str) -> str:
        """A prompt as its text encoders read it."""
        return prompt

    @abstractmethod
    def words(self, encodings: Sequence[Encoding | None]) -> Condition:
        """The condition that prompts are, from what its text encoders make of them; None for one that the model lacks."""


def levels(steps: int) -> Callable[[Tensor], Tensor]:
    """t (B,) as the 0-based level t T - 1 of a process of T `steps`: whole to 1e-3, else in between."""

    def level(t: Tensor) -> Tensor:
        k = t * steps - 1
        return torch.where((k - k.round()).abs() < 1e-3, k.round(), k)

    return level


def flow(steps: int) -> Callable[[Tensor], Tensor]:
    """t (B,) as the time of a flow, t T."""
    return lambda t: t * steps
