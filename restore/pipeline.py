"""What restores and generates images, whatever it was made from: a trained run, a photograph, a published model."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from degrade import Degradation, Estimable, Prior, State, seeds
from degrade.lazy import torch
from degrade.protocols import Covering
from degrade.tree import tree_leaves, tree_map
from restore.conditioning import Asked, of_images
from restore.data.images import image_files
from restore.data.sources import Source
from restore.editing import Guide, known_guide
from restore.machine.memory import free_memory, readable
from restore.machine.processes import ALONE, Processes
from restore.sampling import Sampling
from restore.space import Pixels, Space, encoded, grown
from samplers import Resampled, Sampler, Scale, Step, enlarge, pyramid

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Restoration(NamedTuple):
    """Degraded copies and what was made of them, each (B, C, H, W) or, of one image, (C, H, W)."""

    clean: Tensor
    degraded: Tensor
    direct: Tensor
    """One call of the restorer."""
    restored: Tensor
    """The whole walk back."""


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


UNEDITED = Edit()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline(ABC):
    """A restorer with everything it takes to use it. `using(steps=10)` gives the same with other settings of the walk."""

    degradation: Degradation
    prior: Prior
    size: tuple[int, int, int]
    """Channels, height, width of an image, by default."""
    data: Source
    """How image files are read."""
    images: Path | None = None
    """The photograph, or the folder of images, that it was made from."""
    sampling: Sampling = field(default_factory=Sampling)
    space: Space = field(default_factory=Pixels)
    partners: Prior | None = None
    """Where images that are mixed in come from (default: the degradation's own draw)."""
    classes: tuple[str, ...] = ()
    """Names of the classes that can be asked for."""
    device: str = "cpu"

    @property
    @abstractmethod
    def identity(self) -> str:
        """What it was made from, in a line: the same for the same restorer only."""

    @property
    @abstractmethod
    def halo(self) -> int | None:
        """Pixels around a tile that the restorer sees, where tiles fit together; None where it sees the whole image."""

    @property
    @abstractmethod
    def stride(self) -> int:
        """The restorer works on squares of so many cells of x."""

    @abstractmethod
    def scale(self, size: tuple[int, int], severity: float, numbers: range, condition: Asked = None) -> Scale:
        """The walk from `severity` at full `size`, in cells of x, for images of the seeds `numbers`."""

    def scales(
        self, size: tuple[int, int], severity: float = 1.0, numbers: range = range(1), condition: Asked = None
    ) -> list[Scale]:
        """The walk from `severity`, coarse to fine, that makes images of `size`, in cells of x."""
        return [self.scale(size, severity, numbers, condition)]

    def prepared(self, size: tuple[int, int], edit: Edit) -> tuple[Self, Edit]:
        """This pipeline and the edit as they go together best, for images of `size`."""
        return self, edit

    def seeing(self, picture: Tensor) -> Self:
        """The same made from `picture` (C, H, W) alone, where it was made from one photograph without training."""
        return self

    def spanning(self, size: tuple[int, int]) -> Self:
        """The same for one image of `size`, larger than what it was made from; the layout stays, where there is a choice."""
        return self

    def using(self, **changes: Any) -> Self:
        """The same with other settings of the walk (`Sampling`); None leaves a setting as it is."""
        return replace(self, sampling=replace(self.sampling, **{k: v for k, v in changes.items() if v is not None}))

    def with_noise(self, noise: float) -> Self:
        """The same, generation starting with this standard deviation of symmetry-breaking noise."""
        if not hasattr(self.prior, "noise") or not noise >= 0:
            raise ValueError(
                f"noise is a standard deviation >= 0 for a prior over thumbnails; this is a {type(self.prior).__name__}, and "
                f"{noise} was asked for."
            )
        return replace(self, prior=replace(self.prior, noise=noise))  # type: ignore[type-var]

    def read(self, path: str | Path | None = None) -> Tensor:
        """An image file (C, H, W), reduced as those it was made from; by default the one, or the first, of these."""
        if path is None and self.images is None:
            raise ValueError(f"{self.identity} holds no picture of its own: name one.")
        own = self.images if path is None else Path(path)
        assert own is not None
        return self.data.read(image_files(own)[0] if path is None and own.is_dir() else own)

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
            self._check_pixels()
        if count < 1 or batch < 1 or min(size) < 1:
            raise ValueError(f"count, batch, height and width are at least 1, got {count}, {batch}, {height}, {width}.")
        if not 0 < edit.severity <= 1:
            raise ValueError(f"severity lies in (0, 1], got {edit.severity}.")
        pipeline, edit = self.prepared(size, edit)
        for first in range(0, count, batch)[processes.rank :: processes.count]:
            numbers = range(seed + first, seed + min(first + batch, count))
            asked = of_images(condition, slice(first, first + len(numbers)), count)
            x = pipeline._made(size, numbers, asked, edit, progress, on_step)
            yield from zip(numbers, self.decoded(x, size), strict=True)

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
        for guide in edit.guides:
            scales = [scale._replace(restore=guide(scale.restore, scale.size)) for scale in scales]
        if edit.resample > 1:
            scales[0] = scales[0]._replace(sampler=Resampled(self.resampling, edit.resample))  # type: ignore[arg-type]
        return self.walk(self.start(size, scales, edit.begin, generators), scales, generators, progress, on_step)

    @property
    def resampling(self) -> Sampler:
        """The sampler whose steps are taken several times where an edit asks for it."""
        return self.sampling.sampler

    def start(self, size: tuple[int, int], scales: Sequence[Scale], begin: Tensor | None, generators: list[Generator]) -> State:
        """Where the walk through `scales` starts: a draw from the prior, or `begin`, brought to the first scale and degraded.

        Raises ValueError for more than there is memory for."""
        first, channels = scales[0], self.space.channels(self.size[0])
        shape = (len(generators), channels, *first.size)
        needed, free = 32 * math.prod((len(generators), channels, *scales[-1].size)), free_memory()
        if needed > free:  # the state, the estimate, and what a step makes of them
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

    def padded(self, size: tuple[int, int]) -> tuple[int, int]:
        """Cells of x for images of `size`, rounded up to what the restorer works on. Images are made at this and cut: a network
        that was trained without padding has not learned what to make of it."""
        pixels = self.space.stride * self.stride
        height, width = (-(-side // pixels) * self.stride for side in size)
        return height, width

    def walk(
        self,
        start: State,
        scales: Sequence[Scale],
        generators: Sequence[Generator],
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """From `start` through `scales` to clean x (B, C, *space)."""
        from tqdm import tqdm

        from restore.machine.allocator import keep_freed_memory

        keep_freed_memory()
        start = tree_map(lambda z: z.to(self.device), start)
        total = sum(len(scale.times) - 1 for scale in scales)
        with tqdm(total=total, desc="sampling", unit="step", disable=not progress, dynamic_ncols=True) as bar:

            def watched(step: Step) -> None:
                bar.update()
                if on_step is not None:
                    on_step(step)

            return pyramid(self.sampling.sampler, self.degradation, start, scales, generator=generators, on_step=watched)

    def restore(
        self,
        measurement: Tensor,
        severity: float,
        latent: tuple | None = None,
        *,
        seed: int = 0,
        condition: Asked = "",
        guides: Sequence[Guide] = (),
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Tensor:
        """`measurement`, an image (C, H, W) or a batch (B, C, H, W) that is degraded already, walked back from `severity`.

        latent: what it was degraded with, where the degradation has a latent that cannot be read off it. Image i has the seed
        `seed + i`. Raises ValueError in one line where the severity, the channels or the latent do not fit.
        """
        if guides:
            self._check_pixels()
        x_t = self._encoded(measurement, severity)
        numbers = range(seed, seed + len(x_t))
        x = self._restored(x_t, severity, latent, numbers, condition, guides, progress, on_step)
        images = self.decoded(x, measurement.shape[-2:])
        return images if measurement.ndim == 4 else images[0]

    def fill(self, measurement: Tensor, mask: Tensor, severity: float, *, seed: int = 0, progress: bool = True) -> Tensor:
        """An image (C, H, W) whose hole, where `mask` (1, H, W) is 1, is made anew by a restorer of holes; the rest stays.

        Raises ValueError where the degradation covers no part of an image.
        """
        if not isinstance(self.degradation, Covering):
            raise ValueError(
                f"{type(self.degradation).__name__} covers no part of a picture: a mask serves restorers of holes "
                "(GaussianMask); `edit.py inpaint` fills holes with any run of noise, or without training."
            )
        self._check_pixels()
        x, hole = self._encoded(measurement, severity), mask[None].to(self.device)
        covered, latent = self.degradation.cover(x, hole)
        x_t = self.degradation(covered, torch.full((1,), severity, device=self.device), latent)
        kept = known_guide(x[0], 1 - hole[0])
        restored = self._restored(x_t, severity, latent, range(seed, seed + 1), "", (kept,), progress, None)
        return self.decoded(restored, measurement.shape[-2:])[0]

    def direct(self, measurement: Tensor, severity: float, *, condition: Asked = "") -> Tensor:
        """What one call of the restorer makes of a measurement: needs no latent, and gives the mean of all answers."""
        x_t = self._encoded(measurement, severity)
        images = self.decoded(self._estimate(x_t, severity, condition), measurement.shape[-2:])
        return images if measurement.ndim == 4 else images[0]

    def degrade_and_restore(
        self,
        clean: Tensor,
        severity: float = 0.5,
        *,
        seed: int = 0,
        progress: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> Restoration:
        """Degrades `clean` to `severity` in (0, 1] and restores it, in one call and by the walk.

        `clean` is an image (C, H, W) or a batch (B, C, H, W), whose image i is degraded with the seed `seed + i`. What is
        degraded is not clamped: `restore` of it gives the same, bit for bit, where the latent is the same.
        """
        x0 = self._encoded(clean, severity)
        numbers = range(seed, seed + len(x0))
        latent = self.latent(x0, seeds(seed, len(x0)))
        x_t = self.degradation(x0, torch.full((len(x0),), severity, device=self.device), latent)
        direct = self._estimate(x_t, severity)
        restored = self._restored(x_t, severity, latent, numbers, "", (), progress, on_step)
        height, width = size = clean.shape[-2:]
        degraded = self.space.decode(x_t)[..., :height, :width].cpu()
        images = (self.decoded(x0, size), degraded, self.decoded(direct, size), self.decoded(restored, size))
        return Restoration(*(x if clean.ndim == 4 else x[0] for x in images))

    def decoded(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Images (B, C, *size) in [-1, 1] of x, on the CPU."""
        return self.space.decode(x).clamp(-1, 1).cpu()[..., : size[0], : size[1]]

    def latent(self, x0: Tensor, generators: list[Generator]) -> tuple:
        """What clean x0 (B, C, *space) are degraded with."""
        drawn = self.partners.sample(tuple(x0.shape), generators).latent if self.partners else None
        return tree_map(lambda z: z.to(x0.device), self.degradation.draw(x0, generators) if drawn is None else drawn)

    def _encoded(self, images: Tensor, severity: float) -> Tensor:
        if not 0 < severity <= 1:
            raise ValueError(f"severity lies in (0, 1], got {severity}.")
        batch = images if images.ndim == 4 else images[None]
        if batch.ndim != 4 or batch.shape[1] != self.size[0]:
            raise ValueError(f"images of {self.size[0]} channels are restored, got a tensor of shape {tuple(images.shape)}.")
        if not bool(batch.isfinite().all()):
            raise ValueError("the picture holds NaN or infinite values: expected finite numbers, in [-1, 1] when clean.")
        return encoded(self.space, batch.to(self.device))

    def _check_pixels(self) -> None:
        """Raises ValueError where x is not made of pixels, and cannot be told what some of them are to be."""
        if not isinstance(self.space, Pixels):
            raise ValueError(
                f"masks and guides act on pixels, this restorer works in {type(self.space).__name__}: leave them out, and "
                "give a picture to begin with, or take a run of Pixels."
            )

    def _estimate(self, x_t: Tensor, severity: float, condition: Asked = "") -> Tensor:
        asked = of_images(condition, slice(0, len(x_t)), len(x_t))
        scale = self.scale((x_t.shape[-2], x_t.shape[-1]), severity, range(len(x_t)), asked)
        with torch.no_grad():
            return scale.restore(x_t, torch.full((len(x_t),), severity, device=self.device))

    def _restored(
        self,
        x_t: Tensor,
        severity: float,
        latent: tuple | None,
        numbers: range,
        condition: Asked,
        guides: Sequence[Guide],
        progress: bool,
        on_step: Callable[[Step], None] | None,
    ) -> Tensor:
        asked = of_images(condition, slice(0, len(x_t)), len(x_t))
        scale = self.scale((x_t.shape[-2], x_t.shape[-1]), severity, numbers, asked)
        for guide in guides:
            scale = scale._replace(restore=guide(scale.restore, scale.size))
        generators = seeds(numbers[0], len(numbers))
        start = State(x_t, self._read_off(x_t, severity, scale) if latent is None else latent)
        return self.walk(start, [scale], generators, progress, on_step)

    def _read_off(self, x_t: Tensor, severity: float, scale: Scale) -> tuple:
        """The latent of a measurement, where the degradation has none or it can be estimated. ValueError elsewhere."""
        drawn = self.degradation.draw(x_t)
        if not list(tree_leaves(drawn)):
            return drawn
        if isinstance(self.degradation, Estimable):
            t = torch.full((len(x_t),), severity, device=self.device)
            with torch.no_grad():
                return self.degradation.estimate(x_t, scale.restore(x_t, t), t)
        names = ", ".join(getattr(drawn, "_fields", ()))
        raise ValueError(
            f"{type(self.degradation).__name__} has a latent{f' ({names})' * bool(names)} that cannot be read off a picture: "
            "give the latent, or take the restorer's direct answer, which needs none."
        )
