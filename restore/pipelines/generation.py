"""New images: from the prior, or from a picture of which parts are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from degrade import State, seeds
from degrade.lazy import torch
from restore.machine.memory import free_memory, readable
from restore.machine.processes import ALONE, Processes
from restore.pipelines.base import Base
from restore.pipelines.conditioning import Asked, of_images
from restore.pipelines.editing import Guide
from restore.space import Pixels, grown
from samplers import Resampled, Sampler, Scale, Step, blended, enlarge
from samplers.watched import part

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Edit(NamedTuple):
    """What of a picture is kept when images are made from it, and what they begin with."""

    begin: Tensor | None = None
    """An image (C, h, w) that the walk begins with, degraded to `severity`, in place of a draw from the prior."""
    severity: float = 1.0
    known: tuple[Tensor, Tensor] | None = None
    """A picture (C, H, W) that stays as far as a mask (1, H, W) in [0, 1] says."""
    resample: int = 1
    """Times that each step (of the coarsest scale) is taken, for old and new to agree: `samplers.Resampled`."""
    layout: bool = False
    """The layout of `begin` stays: nothing coarser than half its size is made anew."""
    hole: Tensor | None = None
    """A mask (1, H, W) of the picture that was learned from: where it is 1, nothing may be taken from it."""
    guides: Sequence[Guide] = ()
    """What acts at every scale."""
    windows: tuple[int, int] | None = None
    """Side of the windows that the restorer sees one at a time, and by how much they overlap, cells of x; what it makes of
    them is blended (`samplers.blended`)."""

    def check(self, channels: int, size: tuple[int, int]) -> None:
        """Raises ValueError in one line where it does not fit images (C, *size)."""
        if not 0 < self.severity <= 1 or self.resample < 1:
            raise ValueError(f"severity lies in (0, 1] and resample is at least 1, got {self.severity} and {self.resample}.")
        if self.begin is not None:
            _check_image("the picture to begin with", self.begin, (channels, *self.begin.shape[-2:]))
        if self.known is not None:
            picture, mask = self.known
            _check_image("the known picture", picture, (channels, *size))
            _check_image("the mask of what is known", mask, (1, *size))
            if not bool(((mask >= 0) & (mask <= 1)).all()):
                raise ValueError("the mask of what is known lies in [0, 1]: 1 where the picture stays.")


def _check_image(what: str, image: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(image.shape) != shape or not bool(image.isfinite().all()):
        numbers = "" if tuple(image.shape) != shape else ", of which some are NaN or infinite"
        raise ValueError(f"{what} holds finite numbers of shape {shape}, got {tuple(image.shape)}{numbers}.")


UNEDITED = Edit()


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation(Base):
    """What a pipeline makes anew."""

    def generate(
        self,
        size: tuple[int, int] | None = None,
        count: int = 1,
        seed: int = 0,
        *,
        condition: Asked = None,
        edit: Edit = UNEDITED,
        batch: int = 4,
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """New images (count, C, *size) in [-1, 1]; image i has the seed `seed + i` and does not depend on the others.

        size: height and width, by default the training image's. condition: the name of a class, "" for none in particular, or a
        `Condition` of 1 or `count` images, its picture of the size of x; by default seed s is of class s mod N, where there are
        classes. edit: a picture to begin with, or to keep parts of. batch: images in memory at a time. Raises ValueError in one
        line for what cannot be had.
        """
        images = self.stream(size, count, seed, condition=condition, edit=edit, batch=batch, progress=progress, on_step=on_step)
        return torch.stack([image for _, image in images])

    def stream(
        self,
        size: tuple[int, int] | None = None,
        count: int = 1,
        seed: int = 0,
        *,
        condition: Asked = None,
        edit: Edit = UNEDITED,
        batch: int = 4,
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
        processes: Processes = ALONE,
    ) -> Iterator[tuple[int, Tensor]]:
        """The images of `generate` as they are made: (seed, image (C, H, W)).

        Of several processes each makes every so many-th batch: the images do not depend on their number.
        """
        height, width = size = size or (self.size[1], self.size[2])
        if edit.known is not None or edit.guides:
            self._check_pixels(guides=bool(edit.guides))
        if count < 1 or batch < 1 or min(size) < 1:
            raise ValueError(f"count, batch, height and width are at least 1, got {count}, {batch}, {height}, {width}.")
        edit.check(self.size[0], size)
        pipeline, edit = self.prepared(size, edit)
        firsts = range(0, count, batch)[processes.rank :: processes.count]
        for place, first in enumerate(firsts):
            numbers = range(seed + first, seed + min(first + batch, count))
            asked = of_images(condition, slice(first, first + len(numbers)), count)
            with part(place / len(firsts), (place + 1) / len(firsts)):
                x = pipeline._made(size, numbers, asked, edit, progress, on_step)
            images = self.decoded(x, size)
            if edit.known is not None and not isinstance(self.space, Pixels):  # encoded and decoded, they changed a little
                images = torch.lerp(images, *edit.known)
            yield from zip(numbers, images, strict=True)

    def _made(
        self,
        size: tuple[int, int],
        numbers: range,
        condition: Asked,
        edit: Edit,
        progress: bool,
        on_step: Callable[[Step], None] | None,
    ) -> Tensor:
        generators = seeds(numbers[0], len(numbers))
        scales = self.scales(self.padded(size), edit.severity, numbers, condition)
        if edit.windows is not None:
            scales = [scale._replace(restore=blended(scale.restore, *edit.windows, self.stride)) for scale in scales]
        for guide in edit.guides:
            scales = [scale._replace(restore=guide(scale.restore, scale.size)) for scale in scales]
        if edit.resample > 1:
            scales[0] = scales[0]._replace(sampler=Resampled(self.resampling, edit.resample))  # type: ignore[arg-type]
        return self.walk(self.start(size, scales, edit.begin, generators), scales, generators, progress, on_step)

    @property
    def footprint(self) -> int:
        """Bytes that a step takes for each number of x, at least: the state, the estimate, and what is made of them."""
        return 32

    @property
    def resampling(self) -> Sampler:
        """The sampler whose steps are taken several times where an edit asks for it."""
        return self.sampling.sampler

    def start(self, size: tuple[int, int], scales: Sequence[Scale], begin: Tensor | None, generators: list[Generator]) -> State:
        """Where the walk through `scales` starts: a draw from the prior, or `begin`, brought to the first scale and degraded.

        Raises ValueError for more than there is memory for."""
        first, channels = scales[0], self.space.channels(self.size[0])
        shape = (len(generators), channels, *first.size)
        needed, free = self.footprint * math.prod((len(generators), channels, *scales[-1].size)), free_memory(self.device)
        if needed > free:
            raise ValueError(
                f"{len(generators)} x {size[0]} x {size[1]} pixels take about {readable(needed)}, there is not enough memory "
                f"({readable(free)}): choose a smaller size, or let edit.py panorama make it on disk, of a local network's run."
            )
        if begin is None:
            return self.prior.sample(shape, generators)
        target = (first.size[0] * self.space.stride, first.size[1] * self.space.stride)
        whole = len(scales) == 1 and tuple(begin.shape[1:]) == size
        image = grown(begin[None], target) if whole else enlarge(begin[None], target)
        x0 = self.space.encode(image).expand(shape)
        latent = self.degradation.draw(x0, generators)
        return State(self.degradation(x0, first.times[:1].expand(len(x0)), latent), latent)

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """This pipeline and the edit as they go together best, for images of `size`."""
        return self, edit
