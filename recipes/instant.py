"""New images from one photograph in seconds, without training: the closed-form patch posterior, coarse to fine.

    python recipes/instant.py photo.jpg                                     # four new images, and figures
    python recipes/instant.py cup.jpg --settings.coarsest 15                # one object: keep more of its layout
    python recipes/instant.py photo.jpg --size 188x500 --retarget           # the same scene in another shape
    python recipes/instant.py brick.jpg --tileable                          # shown 2 x 2 as well
    python recipes/instant.py photo.jpg --symmetry left-right
    python recipes/instant.py stones.jpg --structure face.jpg               # the layout of one, the matter of the other

Every patch of the result is a mean of patches of the photograph, weighted by how well each explains what is there
(arXiv 2606.04299; restore/patches/posterior.py). Deterministic DDIM on alpha = 1 - t, sigma = t, at sizes a factor .75 apart.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade import GaussianNoise, RectifiedFlow, State, seeds
from degrade.checks import bounded
from degrade.gaussian_noise import Noise
from degrade.lazy import torch
from degrade.random import normal
from recipes import cli
from recipes.command.limits import COUNT, SEED, SIDE, check_options
from recipes.command.outputs import check_folder
from recipes.command.pasteable import program
from recipes.command.size import OptionalSize
from restore.patches.overlap import check_window
from samplers import DDIM, Resampled, Scale, Symmetry, enlarge, ilvr, known_pixels, pyramid, seamless, sizes, symmetric

if TYPE_CHECKING:
    from torch import Tensor

    from degrade.protocols import Restore
    from samplers import Step

NOISE = GaussianNoise(RectifiedFlow())
LAST = 0.02  # severity of the last step of every scale
FADE = 7.0  # pixels around what is known into which its difference to what was restored is carried on
SMALL = 4  # a photograph of fewer patches than this, a side, may have none of one matter (a sky) at its edge


@dataclass(frozen=True)
class Settings:
    """How images are made."""

    side: int = 11
    """Patches are side x side pixels: larger ones keep more of the photograph."""
    width: float = 0.4
    """Standard deviation of the weights with which overlapping patches are averaged, in sides, [0.01, 10]."""
    neighbours: int = 400
    """Patches that each patch is compared with, about, beside the means of groups of all others."""
    stride: int = 2
    """Pixels between the patches that are averaged, at most `side`."""
    coarsest: int = 24
    """Shorter side of the coarsest scale, pixels: near the side of a patch, the layout of the photograph is kept."""
    factor: float = 0.75
    """Size of a scale relative to the next finer one, in (0, 1)."""
    noise: float = 0.42
    """Severity that each finer scale starts from, in (0.02, 1]: more invents more."""
    steps: int = 6
    """Steps of each finer scale; the coarsest takes twice as many."""

    def __post_init__(self) -> None:
        check_window(self.side, self.width, self.stride)
        if not LAST < self.noise <= 1 or not 0 < self.factor < 1:
            raise ValueError(f"noise lies in ({LAST}, 1] and factor in (0, 1), got {self.noise} and {self.factor}.")
        bounded(self, neighbours=(1, 10**6), coarsest=(1, 65_536), steps=(1, 100_000))

    def levels(self, size: tuple[int, int], photograph: tuple[int, int]) -> list[tuple[int, int]]:
        """The sizes of the scales of an image of `size`, coarse to fine; what is smaller, it or the photograph, has a shorter
        side of `coarsest` pixels at the coarsest, and more than a patch."""
        larger = max(1.0, min(size) / min(photograph))
        return sizes(*size, math.ceil(larger * max(self.coarsest, self.side + 1)), self.factor)

    def spanning(self, shorter: int) -> Settings:
        """These settings for a photograph whose layout stays: patches span the `shorter` side of its coarsest scale."""
        coarsest = self.side + 1
        count = math.ceil(math.log(shorter / coarsest, 1 / self.factor))
        return replace(self, coarsest=coarsest, factor=(coarsest / shorter * 1.0001) ** (1 / count)) if count > 0 else self


Guide = Callable[["Restore", tuple[int, int]], "Restore"]
"""What a restorer is wrapped in at a scale of (height, width)."""


def generate(
    photograph: Tensor,
    size: tuple[int, int] | None = None,
    count: int = 4,
    settings: Settings = Settings(),
    seed: int = 0,
    *,
    begin: Tensor | None = None,
    severity: float = 1.0,
    guides: Sequence[Guide] = (),
    without: Tensor | None = None,
    continued: bool = False,
    resample: int = 1,
    on_step: Callable[[Step], None] | None = None,
) -> Tensor:
    """`count` images (count, C, H, W) in [-1, 1] of `size` from `photograph` (C, H, W); image i has the seed `seed + i`.

    begin: an image (C, h, w) that the coarsest scale starts from, degraded to `severity`, instead of from noise; finer scales
    start from at most `severity` too. guides: what acts at every scale. without: a mask (1, h, w) of the photograph, whose
    patches are not used where it is 1. continued: see `scales_of`. resample: times that each step of the coarsest scale is
    taken (`samplers.Resampled`). Raises ValueError for images too small for a patch.
    """
    if count < 1:
        raise ValueError(f"give a count of at least 1, got {count}.")
    if not LAST < severity <= 1:
        raise ValueError(f"severity lies in ({LAST}, 1], got {severity}.")
    generators = seeds(seed, count)
    scales = scales_of(photograph, size, settings, severity=severity, guides=guides, without=without, continued=continued)
    if resample > 1:
        scales[0] = scales[0]._replace(sampler=Resampled(DDIM(), resample))
    image = torch.zeros(photograph.shape[0], 1, 1) if begin is None else begin
    x0 = enlarge(image[None], scales[0].size).expand(count, -1, -1, -1)
    eps = normal(tuple(x0.shape), generators)
    start = State(NOISE(x0, scales[0].times[:1].expand(count), Noise(eps)), Noise(eps))
    return pyramid(DDIM(), NOISE, start, scales, generator=generators, on_step=on_step).clamp(-1, 1)


def scales_of(
    photograph: Tensor,
    size: tuple[int, int] | None = None,
    settings: Settings = Settings(),
    *,
    severity: float = 1.0,
    guides: Sequence[Guide] = (),
    without: Tensor | None = None,
    continued: bool = False,
) -> list[Scale]:
    """The scales that `generate` walks through: at each the posterior of the photograph at that size, guided.

    continued: at coarse scales the photograph goes on by a few pixels like its last ones, for what lies at its edge to go on
    too: without, no patch there would be all sky. Posteriors are built when they are first called, and only the last one is
    kept. Raises ValueError for images too small for a patch.
    """
    height, width = size = size or (photograph.shape[1], photograph.shape[2])
    if min(size) < settings.side:
        raise ValueError(f"give sides of at least {settings.side} pixels, got {height} and {width}.")
    posterior = lru_cache(maxsize=1)(lambda ratio: _posterior(photograph, ratio, settings, without, continued))
    scales = []
    for number, (h, w) in enumerate(settings.levels(size, (photograph.shape[1], photograph.shape[2]))):
        first, steps = (severity, 2 * settings.steps) if number == 0 else (min(settings.noise, severity), settings.steps)

        def restore(x_t: Tensor, t: Tensor, ratio: float = h / height) -> Tensor:
            return posterior(ratio)(x_t, t)

        guided: Restore = restore
        for guide in guides:
            guided = guide(guided, (h, w))
        scales.append(Scale((h, w), guided, times(first, steps)))
    return scales


def held(known: Tensor, mask: Tensor) -> Guide:
    """`known` (C, H, W) stays as far as `mask` (1, H, W), in [0, 1], says; at coarse scales where all it covers does."""

    def guide(restore: Restore, size: tuple[int, int]) -> Restore:
        share = enlarge(mask[None], size)
        reach = FADE * size[0] / known.shape[1]
        if size == tuple(known.shape[1:]):
            return known_pixels(restore, known[None], mask[None], reach)
        whole = (share > 0.999).to(mask)
        mean = enlarge((known * mask)[None], size) / share.clamp(min=1e-3)
        return known_pixels(restore, mean * whole, whole, reach)

    return guide


def softened(mask: Tensor, pixels: int) -> Tensor:
    """`mask` (1, H, W) of zeros and ones, its ones falling to 0 over the last `pixels` before its zeros."""
    if pixels < 0:
        raise ValueError(f"soft edges are at least 0 pixels wide, got {pixels}.")
    if pixels == 0:
        return mask
    half = (pixels + 1) // 2
    inner = -torch.nn.functional.max_pool2d(-mask[None], 2 * half + 1, 1, half)
    return torch.nn.functional.avg_pool2d(inner, 2 * half + 1, 1, half, count_include_pad=False)[0]


def filled(known: Tensor, mask: Tensor) -> Tensor:
    """`known` (C, H, W) where `mask` (1, H, W) is 1, and around it what lies next to it, ever smoother further away.

    Means over squares of 2, 4, 8, ... known pixels, enlarged again (Gortler et al. 1996, "The Lumigraph", section 3.4).
    """
    if bool(mask.all()) or max(mask.shape) == 1:
        return known
    share = torch.nn.functional.avg_pool2d(mask[None], 2, ceil_mode=True, count_include_pad=False)
    mean = torch.nn.functional.avg_pool2d((known * mask)[None], 2, ceil_mode=True, count_include_pad=False)
    coarser = filled((mean / share.clamp(min=1e-6))[0], (share > 0).to(mask)[0])
    return torch.lerp(enlarge(coarser[None], (known.shape[1], known.shape[2]))[0], known, mask)


def laid_out(structure: Tensor) -> Guide:
    """The result takes the low frequencies of `structure` (C, h, w)."""
    return lambda restore, size: ilvr(restore, enlarge(structure[None], size), 3.0, until=0.3)


def placed(photograph: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The photograph in the middle of a canvas (C, H, W), and a mask (1, H, W) of where it is. ValueError if too large."""
    if size[0] < photograph.shape[1] or size[1] < photograph.shape[2]:
        raise ValueError(f"outpainting needs a size of at least the photograph's {photograph.shape[1]}x{photograph.shape[2]}.")
    known, mask = torch.zeros(photograph.shape[0], *size), torch.zeros(1, *size)
    top, left = ((whole - part) // 2 for whole, part in zip(size, photograph.shape[1:], strict=True))
    window = (..., slice(top, top + photograph.shape[1]), slice(left, left + photograph.shape[2]))
    known[window], mask[window] = photograph, 1
    return known, mask


def times(start: float, steps: int) -> Tensor:
    """`steps` severities from `start` (below 1, where nothing is left of the image) to LAST, denser there, then 0."""
    u = torch.linspace(1, 0, steps, dtype=torch.float64) if steps > 1 else torch.ones(1, dtype=torch.float64)
    return torch.cat([LAST + (min(start, 0.99) - LAST) * u.square(), torch.zeros(1, dtype=torch.float64)])


def bounds(mask: Tensor) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the rectangle around what is not 0 in mask (1, H, W)."""
    rows, columns = mask[0].any(1).nonzero(), mask[0].any(0).nonzero()
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


def around(x: Tensor, hole: Tensor, side: int) -> list[Tensor]:
    """What lies above, below, left and right of the rectangle around `hole` (1, H, W), where it is at least `side` wide.

    ValueError if nothing does.
    """
    if not bool(hole.any()):
        return [x]
    top, bottom, left, right = bounds(hole)
    pieces = [x[:, :top], x[:, bottom:], x[:, :, :left], x[:, :, right:]]
    pieces = [piece for piece in pieces if min(piece.shape[1:]) >= side]
    if not pieces:
        raise ValueError(f"less than {side} pixels of the picture lie around what is made anew: nothing to make it from.")
    return pieces


def _posterior(photograph: Tensor, ratio: float, settings: Settings, without: Tensor | None, continued: bool) -> Restore:
    from restore.patches.posterior import PatchPosterior

    shape = [max(settings.side + 1, round(side * ratio)) for side in photograph.shape[1:]]
    small = enlarge(photograph[None], (shape[0], shape[1]))[0]
    if continued and min(shape) < SMALL * settings.side:
        margin = settings.side // 2
        small = torch.nn.functional.pad(small[None], (margin,) * 4, mode="replicate")[0]
    pieces = [small] if without is None else around(small, enlarge(without[None], (shape[0], shape[1]))[0] > 0, settings.side)
    return PatchPosterior(pieces, NOISE, settings.side, settings.width, settings.stride, settings.neighbours)


@dataclass(frozen=True)
class Instant:
    """New images from one photograph, without training."""

    image: Positional[Path]
    """The photograph."""
    size: OptionalSize = None
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

    def __post_init__(self) -> None:
        check_options(self, count=COUNT, seed=SEED, detail=SIDE)

    def __call__(self) -> None:
        from tqdm import tqdm

        from restore.data.images import grid, load_image, save_image

        photograph = load_image(self.image, self.detail)
        folder = self.out or Path("runs") / f"{self.image.stem}-instant"
        check_folder(folder)
        size = self.size or (photograph.shape[1], photograph.shape[2])
        levels = len(self.settings.levels(size, (photograph.shape[1], photograph.shape[2])))
        total = (levels + 1) * self.settings.steps + levels
        with tqdm(total=total, desc="making images", unit="step", dynamic_ncols=True) as bar:
            images = generate(
                photograph,
                size,
                self.count,
                self.settings,
                self.seed,
                begin=photograph if self.retarget else None,
                severity=0.8 if self.retarget else 1.0,
                guides=self.guides(),
                on_step=lambda step: bar.update() and None,
            )
            bar.update(total - bar.n)
        for i, image in enumerate(images):
            shown = image.repeat(1, 2, 2) if self.tileable else image
            save_image(image, folder / f"{size[0]}x{size[1]}-seed-{self.seed + i}.png", {"seed": str(self.seed + i)})
            if self.tileable:
                save_image(shown, folder / f"{size[0]}x{size[1]}-seed-{self.seed + i}-2x2.png")
        picture = save_image(grid([photograph, *images]), folder / "grid.png")
        if self.judge:
            report(photograph, list(images))
        print(f"{self.count} images in {folder}; {picture.name} shows the photograph, then them")

    def guides(self) -> list[Guide]:
        """What was asked for."""
        from restore.data.images import load_image

        guides: list[Guide] = []
        if self.tileable:
            guides.append(lambda restore, _: seamless(restore, self.settings.side))
        if self.symmetry:
            symmetry = self.symmetry
            guides.append(lambda restore, _: symmetric(restore, symmetry))
        if self.structure:
            guides.append(laid_out(load_image(self.structure)))
        return guides


def report(photograph: Tensor, images: list[Tensor]) -> None:
    """Prints the figures of restore/evaluation/single_image.py, on every fourth row of patches."""
    from restore.evaluation.single_image import judge

    figures = judge(images, photograph, every=4)._asdict()
    print("   ".join(f"{name} {value:.4f}" for name, value in figures.items() if value == value))


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Instant, args=args, prog=program(__file__), description=__doc__, config=(tyro.conf.CascadeSubcommandArgs,))()


if __name__ == "__main__":
    cli.run(main)
