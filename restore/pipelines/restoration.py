"""Pictures that are degraded: already, or to see how well that is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from degrade import Estimable, State, Stream, seeded, seeds
from degrade.checks import check_latent
from degrade.lazy import torch
from degrade.protocols import Covering, Legible
from degrade.tree import tree_leaves, tree_map
from restore.filling import filled
from restore.pipelines.base import Base
from restore.pipelines.conditioning import Asked, of_images
from restore.pipelines.editing import Guide, known_guide
from restore.space import encoded
from samplers import Scale, Step

if TYPE_CHECKING:
    from torch import Generator, Tensor


LARGEST = 1e6
"""Of a value in a picture: noise reaches a few, nothing that is one reaches this."""


class Comparison(NamedTuple):
    """Degraded copies and what was made of them, each (B, C, H, W) or, of one image, (C, H, W)."""

    clean: Tensor
    degraded: Tensor
    direct: Tensor
    """One call of the restorer."""
    restored: Tensor
    """The whole walk back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Restoration(Base):
    """What a pipeline undoes."""

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
        _, latent = self.degradation.cover(x, hole)
        x_t = self.degradation(filled(x, 1 - hole), torch.full((1,), severity, device=self.device), latent)
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
    ) -> Comparison:
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
        return Comparison(*(x if clean.ndim == 4 else x[0] for x in images))

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
        if not batch.numel() or not batch.is_floating_point():
            raise ValueError(f"images hold floating point numbers, got {batch.dtype} of shape {tuple(batch.shape)}.")
        if not float(batch.abs().max()) <= LARGEST:
            raise ValueError("the picture holds NaN, infinite or huge values: expected numbers in [-1, 1] when clean.")
        return encoded(self.space, batch.to(self.device, torch.float32))

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
        if latent is not None:
            check_latent(latent, self.degradation.draw(x_t[:1].cpu(), seeds(0, 1)), type(self.degradation).__name__)
        if latent is not None and any(len(z) != len(x_t) for z in tree_leaves(latent)):
            raise ValueError(f"the latent is for {[len(z) for z in tree_leaves(latent)]} images, these are {len(x_t)}.")
        scale = self.scale((x_t.shape[-2], x_t.shape[-1]), severity, numbers, asked)
        for guide in guides:
            scale = scale._replace(restore=guide(scale.restore, scale.size))
        generators = [seeded(number, Stream.WALK) for number in numbers]
        start = State(x_t, self._read_off(x_t, severity, scale) if latent is None else latent)
        return self.walk(start, [scale], generators, progress, on_step)

    def _read_off(self, x_t: Tensor, severity: float, scale: Scale) -> tuple:
        """The latent of a measurement, where the degradation has none or it can be estimated. ValueError elsewhere."""
        drawn = self.degradation.draw(x_t)
        if not list(tree_leaves(drawn)):
            return drawn
        if isinstance(self.degradation, Legible):
            return self.degradation.read(x_t, torch.full((len(x_t),), severity, device=self.device))
        if isinstance(self.degradation, Estimable):
            t = torch.full((len(x_t),), severity, device=self.device)
            with torch.no_grad():
                return self.degradation.estimate(x_t, scale.restore(x_t, t), t)
        names = ", ".join(getattr(drawn, "_fields", ()))
        raise ValueError(
            f"{type(self.degradation).__name__} has a latent{f' ({names})' * bool(names)} that cannot be read off a picture: "
            "give the latent, or take the restorer's direct answer (--direct), which needs none"
            f"{', or say where the hole is (--mask)' if isinstance(self.degradation, Covering) else ''}."
        )
