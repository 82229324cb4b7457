"""A pipeline around a published model: words as its condition, a picture that it is told, latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from degrade.lazy import torch
from models import Condition
from restore.pipelines.conditioning import Asked
from restore.pipelines.generation import Edit
from restore.pipelines.network import NetworkPipeline
from restore.space import grown

if TYPE_CHECKING:
    from torch import Tensor

MASKED = 5
"""Channels of the picture that an inpainting network in latents of 4 is told: a mask, and what it leaves of the picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Published(NetworkPipeline):
    """A published model, which `restore.pretrained` opens."""

    words: Callable[[Sequence[str]], Condition] | None = None
    """The condition that prompts are, where it is conditioned on words: `condition="a prompt"` then."""
    prompt: str = ""
    """What is asked for where nothing else is."""
    negative: str = ""
    """What guidance leads away from."""
    told: Tensor | None = None
    """The picture (1, C, h, w) that its network is told, in x."""

    def saying(self, prompt: str | None = None, negative: str | None = None) -> Self:
        """The same, asked for `prompt` where nothing else is, guidance leading away from `negative`; None leaves one as it is.
        ValueError in one line for a model that is not conditioned on words."""
        if self.words is None:
            raise ValueError(f"{self.name} is not conditioned on words: leave out prompt and negative.")
        prompt, negative = (old if new is None else new for old, new in ((self.prompt, prompt), (self.negative, negative)))
        return replace(self, prompt=prompt, negative=negative)

    def conditions(self, numbers: range, asked: Asked = None) -> Condition:
        if self.words is None or isinstance(asked, Condition):
            condition = super().conditions(numbers, asked)
        else:
            condition = self._said(self.prompt if asked is None else asked, len(numbers))
        if self.told is None:
            return condition
        return condition._replace(image=self.told.expand(len(numbers), *self.told.shape[1:]))

    def nothing(self, condition: Condition) -> Condition:
        """The negative prompt in place of the words; what is told of a picture stays."""
        nothing = Condition() if self.words is None else self._said(self.negative, condition.batch or 1)
        nothing = nothing._replace(image=condition.image)
        return condition if _same(nothing, condition) else nothing

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """An inpainting network is told what is known, and makes the rest: from noise, unless it begins with a picture."""
        if getattr(self.restorer.network, "picture", 0) != MASKED:
            return super().prepared(size, edit)
        height, width = pixels = tuple(side * self.space.stride for side in self.padded(size))
        nothing = torch.zeros(self.size[0], height, width), torch.zeros(1, height, width)
        picture, mask = nothing if edit.known is None else edit.known
        seen = self.space.encode(grown(torch.where(mask >= 0.5, picture, 0)[None], (height, width)).to(self.device))
        hole = 1 - self.shrunk(mask.to(self.device), pixels)
        return replace(self, told=torch.cat([hole, seen], dim=1)), edit

    def _said(self, words: str, count: int) -> Condition:
        assert self.words is not None
        return self.words((words,)).map(lambda part: part.expand(count, *part.shape[1:]))


def _same(a: Condition, b: Condition) -> bool:
    return all(x is y or (x is not None and y is not None and torch.equal(x, y)) for x, y in zip(a, b, strict=True))
