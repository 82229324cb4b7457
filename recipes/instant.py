"""New images from one photograph in seconds, without training: the closed-form patch posterior, coarse to fine.

    python recipes/instant.py photo.jpg                                     # four new images, and figures
    python recipes/instant.py cup.jpg --settings.coarsest 15                # one object: keep more of its layout
    python recipes/instant.py photo.jpg --size 188x500 --retarget           # the same scene in another shape
    python recipes/instant.py photo.jpg --size 256x384 --outpaint           # more of it around
    python recipes/instant.py brick.jpg --tileable                          # shown 2 x 2 as well
    python recipes/instant.py photo.jpg --symmetry left-right
    python recipes/instant.py stones.jpg --structure face.jpg               # the layout of one, the matter of the other

Every patch of the result is a mean of patches of the photograph, weighted by how well each explains what is there
(arXiv 2606.04299; restore/patch_posterior.py). Deterministic DDIM on alpha = 1 - t, sigma = t, at sizes a factor .75 apart.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tyro
from tyro.conf import Positional

from degrade import Flow, GaussianNoise, Start, seeds
from degrade.gaussian_noise import Noise
from degrade.lazy import torch
from degrade.random import normal
from recipes import cli
from samplers import DDIM, Scale, Symmetry, enlarge, keep, low_frequencies, pyramid, seamless, sizes, symmetric

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from degrade.protocols import Restore
    from samplers import Step

NOISE = GaussianNoise(Flow())
LAST = 0.02  # severity of the last step of every scale


@dataclass(frozen=True)
class Settings:
    """How images are made."""

    side: int = 11
    """Patches are side x side pixels: larger ones keep more of the photograph."""
    width: float = 0.4
    """Standard deviation of the weights with which overlapping patches are averaged, in sides."""
    neighbours: int = 400
    """Patches that each patch is compared with, about."""
    stride: int = 2
    """Pixels between the patches that are averaged."""
    coarsest: int = 24
    """Shorter side of the coarsest scale, pixels: near the side of a patch, the layout of the photograph is kept."""
    factor: float = 0.75
    """Size of a scale relative to the next finer one."""
    noise: float = 0.42
    """Severity that each finer scale starts from, in (0, 1]: more invents more."""
    steps: int = 6
    """Steps of each finer scale; the coarsest takes twice as many."""

    def __post_init__(self) -> None:
        if not LAST < self.noise <= 1 or self.steps < 1:
            raise ValueError(f"noise lies in ({LAST}, 1] and steps is at least 1, got {self.noise} and {self.steps}.")

    def levels(self, height: int, width: int) -> list[tuple[int, int]]:
        """The sizes of the scales, coarse to fine; the coarsest is larger than a patch."""
        return sizes(height, width, max(self.coarsest, self.side + 1), self.factor)


def generate(
    photograph: Tensor,
    size: tuple[int, int] | None = None,
    count: int = 4,
    settings: Settings = Settings(),
    seed: int = 0,
    *,
    retarget: bool = False,
    outpaint: bool = False,
    tileable: bool = False,
    symmetry: Symmetry | None = None,
    structure: Tensor | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Tensor:
    """`count` images (count, C, H, W) in [-1, 1] of `size` from `photograph` (C, H, W); image i has the seed `seed + i`.

    retarget: start from the photograph squeezed to `size`. outpaint: the photograph stays in the middle. structure: an image
    whose low frequencies the result takes. Raises ValueError for images too small for a patch.
    """
    height, width = size or (photograph.shape[1], photograph.shape[2])
    if count < 1 or min(height, width) < settings.side:
        raise ValueError(
            f"give a count of at least 1 and sides of at least {settings.side} pixels, got {count}, {height}, {width}."
        )
    if outpaint and (height < photograph.shape[1] or width < photograph.shape[2]):
        raise ValueError(f"outpainting needs a size of at least the photograph's {photograph.shape[1]}x{photograph.shape[2]}.")
    generators = seeds(seed, count)
    levels = settings.levels(height, width)
    scales = []
    for number, (h, w) in enumerate(levels):
        ratio = h / height
        start = (1.0 if not retarget else 0.8) if number == 0 else settings.noise
        steps = 2 * settings.steps if number == 0 else settings.steps
        restore = restorer(photograph, ratio, settings)
        restore = guided(restore, photograph, (h, w), ratio, settings, outpaint, tileable, symmetry, structure)
        scales.append(Scale((h, w), restore, times(start, steps)))
    first = torch.zeros(count, photograph.shape[0], *levels[0])
    if retarget:
        first = enlarge(photograph[None], levels[0]).expand_as(first)
    eps = normal(tuple(first.shape), generators)
    begin = Start(NOISE(first, scales[0].times[:1].expand(count), Noise(eps)), Noise(eps))
    return pyramid(DDIM(), NOISE, begin, scales, generator=generators, on_step=on_step).clamp(-1, 1)


def times(start: float, steps: int) -> Tensor:
    """`steps` severities from `start` (below 1, where nothing is left of the image) to LAST, denser there, then 0."""
    u = torch.linspace(1, 0, steps, dtype=torch.float64) if steps > 1 else torch.ones(1, dtype=torch.float64)
    return torch.cat([LAST + (min(start, 0.99) - LAST) * u.square(), torch.zeros(1, dtype=torch.float64)])


def restorer(photograph: Tensor, ratio: float, settings: Settings) -> Restore:
    """The patch posterior of the photograph at `ratio` of its size (never smaller than a patch).

    Built at its first call, and dropped when x is clean but for LAST: only one scale's patches are in memory.
    """
    built: list[Restore] = []

    def restore(x_t: Tensor, t: Tensor) -> Tensor:
        if not built:
            built.append(_posterior(photograph, ratio, settings))
        x0 = built[0](x_t, t)
        if float(t.max()) <= LAST:
            built.clear()
        return x0

    return restore


def _posterior(photograph: Tensor, ratio: float, settings: Settings) -> Restore:
    from restore.patch_posterior import PatchPosterior

    shape = [max(settings.side + 1, round(side * ratio)) for side in photograph.shape[1:]]
    small = enlarge(photograph[None], (shape[0], shape[1]))[0]
    return PatchPosterior([small], NOISE, settings.side, settings.width, settings.stride, settings.neighbours)


def guided(
    restore: Restore,
    photograph: Tensor,
    size: tuple[int, int],
    ratio: float,
    settings: Settings,
    outpaint: bool,
    tileable: bool,
    symmetry: Symmetry | None,
    structure: Tensor | None,
) -> Restore:
    """The restorer under what was asked for at this scale."""
    if tileable:
        restore = seamless(restore, settings.side)
    if symmetry:
        restore = symmetric(restore, symmetry)
    if structure is not None:
        restore = low_frequencies(restore, enlarge(structure[None], size), 3.0, until=0.3)
    if outpaint:
        restore = keep(restore, *placed(photograph, size, ratio))
    return restore


def placed(photograph: Tensor, size: tuple[int, int], ratio: float) -> tuple[Tensor, Tensor]:
    """The photograph at `ratio` of its size in the middle of a canvas, and a mask of where it is: each (1, ., H, W)."""
    inner = [min(round(side * ratio), whole) for side, whole in zip(photograph.shape[1:], size, strict=True)]
    top, left = ((whole - part) // 2 for whole, part in zip(size, inner, strict=True))
    known, mask = torch.zeros(1, photograph.shape[0], *size), torch.zeros(1, 1, *size)
    window = (..., slice(top, top + inner[0]), slice(left, left + inner[1]))
    known[window] = enlarge(photograph[None], (inner[0], inner[1]))
    mask[window] = 1
    return known, mask


@dataclass(frozen=True)
class Instant:
    """New images from one photograph, without training."""

    image: Positional[Path]
    """The photograph."""
    size: cli.Size | None = None
    """Height x width in pixels, such as 188x500 (default: the photograph's)."""
    count: int = 4
    """Images; image i has the seed `seed + i`."""
    seed: int = 0
    """Everything random derives from it."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-instant)."""
    detail: int = 250
    """The longer side of the photograph is reduced to this, pixels."""
    retarget: bool = False
    """Start from the photograph squeezed to `size`."""
    outpaint: bool = False
    """Keep the photograph in the middle, and make more of it around."""
    tileable: bool = False
    """Images that can be laid side by side without a seam."""
    symmetry: Symmetry | None = None
    """Images that are their own mirror image, or their own half turn."""
    structure: Path | None = None
    """An image whose layout the new ones take."""
    judge: bool = True
    """Print coherence, completeness, diversity and the share of copied patches (of every fourth row of patches)."""
    settings: Settings = field(default_factory=Settings)
    """How images are made."""

    def __call__(self) -> None:
        from tqdm import tqdm

        from restore.images import grid, load_image, save_image

        photograph = load_image(self.image, self.detail)
        structure = load_image(self.structure) if self.structure else None
        size = self.size or (photograph.shape[1], photograph.shape[2])
        levels = len(self.settings.levels(*size))
        total = (levels + 1) * self.settings.steps + levels
        with tqdm(total=total, desc="making images", unit="step", dynamic_ncols=True) as bar:
            images = generate(
                photograph,
                size,
                self.count,
                self.settings,
                self.seed,
                retarget=self.retarget,
                outpaint=self.outpaint,
                tileable=self.tileable,
                symmetry=self.symmetry,
                structure=structure,
                on_step=lambda step: bar.update() and None,
            )
            bar.update(total - bar.n)
        folder = self.out or Path("runs") / f"{self.image.stem}-instant"
        for i, image in enumerate(images):
            shown = image.repeat(1, 2, 2) if self.tileable else image
            save_image(image, folder / f"{size[0]}x{size[1]}-seed-{self.seed + i}.png", {"seed": str(self.seed + i)})
            if self.tileable:
                save_image(shown, folder / f"{size[0]}x{size[1]}-seed-{self.seed + i}-2x2.png")
        picture = save_image(grid([photograph, *images]), folder / "grid.png")
        if self.judge:
            report(photograph, list(images))
        print(f"{self.count} images in {folder}; {picture.name} shows the photograph, then them")


def report(photograph: Tensor, images: list[Tensor]) -> None:
    """Prints the figures of restore/single_image.py, on every fourth row of patches."""
    from restore.single_image import judge

    figures = judge(images, photograph, every=4)._asdict()
    print("   ".join(f"{name} {value:.4f}" for name, value in figures.items() if value == value))


if __name__ == "__main__":
    config = (tyro.conf.CascadeSubcommandArgs,)
    cli.run(lambda args: tyro.cli(Instant, args=args, prog="instant.py", description=__doc__, config=config)())
