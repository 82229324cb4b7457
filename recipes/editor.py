"""What the commands of recipes/edit.py share: a run, or a photograph without training, and the picture that is edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from degrade import GaussianNoise, State, seeds
from degrade.lazy import torch
from recipes.instant import Guide, Settings, filled, generate, held
from recipes.own_types import types_in
from samplers import DDPM, Resampled

if TYPE_CHECKING:
    from torch import Tensor

    from recipes.run import Run

FILLED = 0.6
"""Severity that a picture is degraded to where what is around it, or missing from it, was filled in smoothly."""
FINE = 0.5
"""Size of the coarsest scale, of the picture's, where its layout is to stay."""


class Editor:
    """A run or the closed-form restorer of a photograph, and the picture that is edited (C, H, W)."""

    def __init__(
        self, source: Path, image: Path | None, detail: int, steps: int | None, guides: list[Guide], types: Path | None = None
    ) -> None:
        from recipes.run import open_run
        from restore.data.images import load_image

        self.steps, self.guides = steps, guides
        self.run: Run | None = open_run(source, types=types_in(types)) if source.is_dir() else None
        if self.run is not None:
            self.picture = self.run.image(image)
            self.original = image
        else:
            self.photograph = load_image(source, detail)
            self.picture = load_image(image, detail) if image else self.photograph
            self.original = image or source

    def mask(self, path: Path) -> Tensor:
        """The mask (1, H, W): 1 where the file is bright. Raises ValueError if its size is another, or nothing is."""
        from restore.data.decoding import image_size
        from restore.data.images import load_image

        mask = load_image(path, channels=1)
        sizes = {tuple(self.picture.shape[-2:]), *([image_size(self.original)] if self.original else [])}
        if tuple(mask.shape[-2:]) not in sizes:
            expected = " or ".join(f"{h}x{w}" for h, w in sorted(sizes))
            raise ValueError(
                f"{path} is {mask.shape[1]}x{mask.shape[2]}, the picture {expected}: give a mask of the same size."
            )
        small = torch.nn.functional.interpolate((mask[None] > 0).float(), self.picture.shape[-2:], mode="area")[0]
        if not bool((small > 0).any()):
            raise ValueError(f"{path} is dark all over: paint white what is to be made anew.")
        return (small > 0).float()

    def make(
        self,
        size: tuple[int, int],
        count: int,
        seed: int,
        begin: Tensor | None = None,
        severity: float = 1.0,
        known: tuple[Tensor, Tensor] | None = None,
        resample: int = 1,
        without: Tensor | None = None,
        fine: bool = False,
    ) -> Tensor:
        """Images (count, C, H, W): from noise, or from `begin` degraded to `severity`; `known` (picture, mask) stays.

        resample: times that each step is taken; without training, each of the coarsest scale.
        Without training: `without` is the part of the photograph that is not used; `fine` leaves out the coarse scales, and so
        keeps the layout.
        """
        if self.run is None:
            guides = [*self.guides, *([held(*known)] if known else [])]
            settings = Settings() if self.steps is None else Settings(steps=self.steps)
            if fine:
                settings = replace(settings, coarsest=round(FINE * min(size)))
            around = known is not None and begin is None and without is None
            if known and begin is None:
                begin, severity = filled(*known), FILLED
            return generate(
                self.photograph,
                size,
                count,
                settings,
                seed,
                begin=begin,
                severity=severity,
                guides=guides,
                without=without,
                continued=around,
                resample=resample,
            )
        made = [self._walked(self.run, size, seed + i, begin, severity, known, resample) for i in range(count)]
        return torch.cat(made)[..., : size[0], : size[1]]

    def _walked(
        self,
        run: Run,
        size: tuple[int, int],
        seed: int,
        begin: Tensor | None,
        severity: float,
        known: tuple[Tensor, Tensor] | None,
        resample: int,
    ) -> Tensor:
        """One image of the run (1, C, H, W), of at least `size`."""
        size = run.squares(size)
        guides = [*self.guides]
        if known:
            guides.append(held(*(_grown(x, size, "constant").to(run.device) for x in known)))
        if not 0 < severity <= 1:
            raise ValueError(f"severity lies in (0, 1], got {severity}.")
        generators = seeds(seed, 1)
        degradation = run.recipe.degradation
        if begin is None:
            start = run.start((1, run.size[0], *size), generators)
        else:
            begin = _grown(begin, size, "replicate")[None]
            latent = degradation.draw(begin, generators)
            start = State(degradation(begin, torch.tensor([severity]), latent), latent)
        restore = run.guided()
        for guide in guides:
            restore = guide(restore, size)
        sampler = run.recipe.sampling.sampler
        if resample > 1:
            hot = isinstance(degradation, GaussianNoise)
            sampler = Resampled(DDPM("small") if hot else sampler, resample)  # type: ignore[arg-type]
        x = run.walk(start, severity, self.steps, sampler, generators, restore=restore)
        return x.cpu().clamp(-1, 1)


def _grown(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """x (C, h, w) with more at the bottom and right: (C, *size)."""
    return torch.nn.functional.pad(x[None], (0, size[1] - x.shape[2], 0, size[0] - x.shape[1]), mode=mode)[0]
