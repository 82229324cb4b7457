"""What every pipeline holds, and how it walks back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from degrade import Degradation, Prior, State
from degrade.tree import tree_map
from restore.data.images import image_files
from restore.data.sources import Source
from restore.pipelines.conditioning import Asked
from restore.sampling import Sampling
from restore.space import Masking, Pixels, Space
from samplers import Scale, Step, pyramid

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Base(ABC):
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
    captions: tuple[str, ...] = ()
    """Captions to make images of where nothing is asked for, each in turn."""
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

    def seeing(self, picture: Tensor) -> Self:
        """The same made from `picture` (C, H, W) alone, where it was made from one photograph without training."""
        return self

    def spanning(self, size: tuple[int, int]) -> Self:
        """The same for one image of `size`, larger than what it was made from; the layout stays, where there is a choice."""
        return self

    def using(self, **changes: Any) -> Self:
        """The same with other settings of the walk (`Sampling`); None leaves a setting as it is."""
        known = [each.name for each in fields(self.sampling)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no setting of the walk: these are {', '.join(known)}.")
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

    def decoded(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Images (B, C, *size) in [-1, 1] of x, on the CPU."""
        return self.space.decode(x).clamp(-1, 1).cpu()[..., : size[0], : size[1]]

    def _check_pixels(self, guides: bool = True) -> None:
        """Raises ValueError where x is not made of pixels, and cannot be told what some of them are to be; without `guides`,
        where it cannot be told which of them to keep."""
        if not isinstance(self.space, Pixels if guides else Masking | Pixels):
            raise ValueError(
                f"masks and guides act on pixels, this restorer works in {type(self.space).__name__}: leave them out, and "
                "give a picture to begin with, or take a run of Pixels."
            )
