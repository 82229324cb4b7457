"""A pipeline around one network, trained here or published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from degrade import Gaussian
from degrade.lazy import torch
from models import Condition
from restore.machine.capture import Captured
from restore.pipelines.conditioning import Asked
from restore.pipelines.editing import known_guide
from restore.pipelines.generation import Edit
from restore.pipelines.likeness import LikenessPrior
from restore.pipelines.pipeline import Pipeline
from restore.restorer import Restorer
from restore.space import Masking, Pixels, encoded, grown
from restore.training.objectives import Objective
from samplers import DDPM, Sampler, Scale, clip, known_pixels, pad_to, telescoped, threshold

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore


SHOWN = 20
"""Names of classes in a message."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkPipeline(Pipeline):
    """One restorer for all sizes and severities, under classifier-free guidance where it is conditional."""

    restorer: Restorer
    name: str
    """What it is called in messages."""
    words: Callable[[Sequence[str]], Condition] | None = None
    """The condition that captions are, one for each image, where it reads any: `condition="a prompt"` then."""
    prompt: str | None = None
    """What is asked for where nothing else is, "" being nothing in particular (None: its classes or captions in turn)."""
    negative: str = ""
    """What guidance leads away from."""
    network_stride: int = 1
    """Sides that are a multiple of this, cells of x, are what the network works on; others are padded."""

    @property
    def identity(self) -> str:
        return self.name

    @property
    def origin(self) -> dict[str, str]:
        """What is noted in the pictures that it makes."""
        return {}

    @property
    def paired(self) -> bool:
        """Whether it learned from pairs of clean and degraded pictures."""
        return False

    @property
    def stride(self) -> int:
        return self.network_stride

    @property
    def halo(self) -> int | None:
        local = isinstance(self.space, Pixels) and isinstance(self.degradation, Gaussian) and self.sampling.pad_to == 1
        return getattr(self.restorer.network, "halo", None) if local else None

    def scale(self, size: tuple[int, int], severity: float, numbers: range, condition: Asked = None) -> Scale:
        asked = self.conditions(numbers, condition)
        if asked.image is not None:
            asked = asked._replace(image=self._grown(asked.image, size))
        restore = self.guided(asked)
        if any(side % self.stride for side in size):  # the network's own padding is none that it has learned
            restore = pad_to(restore, self.stride, mirrored=True)
        return Scale(size, restore, self.sampling.grid.times(self.sampling.steps, severity, self.degradation))

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """What is known becomes a guide; beyond `size`, where images are padded, nothing is. An image that begins with nothing
        takes after the photograph that was learned, where the prior keeps it."""
        if edit.known is None:
            if edit.begin is None and isinstance(self.prior, LikenessPrior):
                edit = edit._replace(guides=(*edit.guides, self.prior.guide))
            return self, edit
        height, width = pixels = tuple(side * self.space.stride for side in self.padded(size))
        picture, mask = edit.known
        if not isinstance(self.space, Pixels):
            known = encoded(self.space, grown(picture[None], (height, width)).to(self.device))
            stays = self.shrunk(mask.to(self.device), pixels)
            return self, edit._replace(guides=(*edit.guides, lambda restore, _: known_pixels(restore, known, stays)))
        room = (0, width - size[1], 0, height - size[0])
        picture, mask = (torch.nn.functional.pad(x, room).to(self.device) for x in edit.known)
        return self, edit._replace(guides=(*edit.guides, known_guide(picture, mask)))

    def shrunk(self, mask: Tensor, pixels: tuple[int, ...]) -> Tensor:
        """A mask (1, H, W) of pixels for cells of x (1, 1, h, w), of images that are grown to `pixels`: 0 beyond it."""
        room = (0, pixels[1] - mask.shape[2], 0, pixels[0] - mask.shape[1])
        assert isinstance(self.space, Masking)
        return self.space.masked(torch.nn.functional.pad(mask, room)[None])

    @property
    def resampling(self) -> Sampler:
        """Fresh noise in every turn where the degradation is noise."""
        return DDPM("small") if isinstance(self.degradation, Gaussian) else self.sampling.sampler

    def conditions(self, numbers: range, asked: Asked = None) -> Condition:
        """The condition of each image, by its seed. ValueError for a class that it does not know."""
        if isinstance(asked, Condition):
            asked.check()
            label, count = asked.label, len(self.classes)
            if label is not None and count and not bool(((label >= -1) & (label < count)).all()):
                raise ValueError(f"labels count the {count} classes from 0, -1 for none, got {label.tolist()[:8]}.")
            return asked.map(lambda part: part.to(self.device))
        lines = self._lines(numbers, asked)
        if self.words is not None and not (self.classes and set(lines) <= {"", *self.classes}):
            return self._said(lines)
        classes = {line: self._class(line) for line in lines if line}
        unknown = next((line for line, number in classes.items() if number is None), None)
        if unknown is not None:
            some = "; ".join(self.classes[:SHOWN]) + f" and {len(self.classes) - SHOWN} more" * (len(self.classes) > SHOWN)
            known = f"knows {some}" if self.classes else "was not trained with classes"
            raise ValueError(f"there is no class {unknown!r}: {self.name} {known}.")
        if not any(lines):
            return Condition()
        return Condition(label=torch.tensor([classes.get(line, -1) for line in lines], device=self.device))

    def _class(self, name: str) -> int | None:
        """The number of the class of that name, or with that name among several, as in ImageNet's "tench, Tinca tinca". Raises
        ValueError for a name of several classes."""
        if name in self.classes:
            return self.classes.index(name)
        found = [number for number, names in enumerate(self.classes) if name in names.split(", ")]
        if len(found) > 1:
            whole = "; ".join(self.classes[number] for number in found[:SHOWN])
            raise ValueError(f"{len(found)} classes are called {name!r}: {whole}. Ask for one by all of its name.")
        return found[0] if found else None

    @property
    def objective(self) -> Objective:
        """What its network is trained further by."""
        return Objective()

    def embedded(self, caption: str) -> Condition:
        """The condition of one image that a caption is, as tokens that can be moved, such as between two captions. Raises
        ValueError in one line for a restorer that reads no words, or takes no tokens in their place."""
        if self.words is None:
            raise ValueError(f"{self.name} was not trained with words: take a run of text_to_image.py, or a model of words.")
        said, network = self._said([caption]), self.restorer.network
        with torch.no_grad():
            found = network.embedded(said) if hasattr(network, "embedded") else said
        if found.tokens is None or found.text is not None:
            raise ValueError(f"{self.name} takes no tokens in place of words: its network has no `embedded`, or other tokens.")
        return found

    def _said(self, lines: Sequence[str]) -> Condition:
        """The condition of each line, the same ones encoded once."""
        assert self.words is not None
        different = list(dict.fromkeys(lines))
        which = torch.tensor([different.index(line) for line in lines])
        return self.words(different).map(lambda part: part[which.to(part.device)].to(self.device))

    def _lines(self, numbers: range, asked: str | Sequence[str] | None) -> list[str]:
        """A class, caption or prompt for each image, "" for none."""
        if isinstance(asked, str):
            return [asked] * len(numbers)
        if asked is not None:
            lines = list(asked) if isinstance(asked, Sequence) else [asked]
            if not all(isinstance(line, str) for line in lines):
                raise ValueError(f"a condition is a class or caption, one for each image, or a Condition, got {asked!r}.")
            return lines
        known = (self.prompt,) if self.prompt is not None else self.classes or self.captions or ("",)
        return [known[seed % len(known)] for seed in numbers]

    def _grown(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        """A picture (B, C, h, w) to condition on, grown as x of `size` is before the network sees it."""
        padded = [-(-side // self.stride) * self.stride for side in size]
        height, width = (-(-side // self.sampling.pad_to) * self.sampling.pad_to for side in padded)
        small = picture.shape[-2] <= height and picture.shape[-1] <= width
        return grown(picture, (height, width)) if small else picture

    def guided(self, condition: Condition = Condition()) -> Restore:  # noqa: B008
        """The restorer under the guides of `sampling`, conditional on `condition`; ValueError for parts it does not accept."""
        sampling = self.sampling
        held = Captured if sampling.captured else lambda restore: restore
        nothing = self.nothing(condition)
        restore: Restore = held(self._given(condition))
        terms, base = [], restore
        if nothing is not condition:
            terms, base = [(sampling.guidance, restore)], held(self._given(nothing))
        if nothing.image is not None and sampling.picture_guidance != 1:
            terms, base = [(sampling.picture_guidance, base), *terms], held(self._given(nothing._replace(image=None)))
        if terms:
            until, since = sampling.guidance_interval
            restore = telescoped(
                base,
                *terms,
                until=until,
                since=since,
                rescale=sampling.rescale,
                triple=getattr(self.restorer, "triple", None),
            )
        if sampling.pad_to > 1:
            restore = pad_to(restore, sampling.pad_to)
        if not (sampling.clip and self.space.limits):
            return restore
        return threshold(restore, sampling.threshold) if sampling.threshold else clip(restore, *self.space.limits)

    def _given(self, condition: Condition) -> Restore:
        return self.restorer.given(condition) if condition.parts else self.restorer

    def nothing(self, condition: Condition) -> Condition:
        """What `condition` is weighed against: the negative prompt where there are words, beside what is told of a picture;
        else no condition at all. Itself where that is what it is."""
        if self.words is None:
            return Condition() if condition.parts else condition
        said = self._said([self.negative] * (condition.batch or 1))
        nothing = said._replace(image=condition.image, pooled=condition.pooled if said.pooled is None else said.pooled)
        return condition if _same(nothing, condition) else nothing

    def told_of(self, pictures: Tensor) -> Tensor:
        """What a network that sees a picture beside x is told of pictures (B, C, H, W): their x."""
        return encoded(self.space, pictures.to(self.device))

    def saying(self, prompt: str | None = None, negative: str | None = None) -> Self:
        """The same, asked for `prompt` where nothing else is, guidance leading away from `negative`; None leaves one as it is.
        ValueError in one line for a model that reads no words."""
        if self.words is None:
            raise ValueError(f"{self.name} was not trained with words: leave out prompt and negative.")
        return replace(
            self,
            prompt=self.prompt if prompt is None else prompt,
            negative=self.negative if negative is None else negative,
        )


def _same(a: Condition, b: Condition) -> bool:
    return all(x is y or (x is not None and y is not None and torch.equal(x, y)) for x, y in zip(a, b, strict=True))
