"""Edit pictures: extend, repaint, pull strokes or a pasted object into the scene, vary, make panoramas.

SOURCE is the folder of a run, or a photograph, from which the closed-form restorer works without training (recipes/instant.py).

    python recipes/edit.py outpaint photo.jpg --size 256x384                      # more of it around
    python recipes/edit.py inpaint photo.jpg --mask mask.png                      # white in the mask is made anew
    python recipes/edit.py sdedit photo.jpg --image strokes.png --severities .4 .6 .8
    python recipes/edit.py harmonise photo.jpg --image pasted.png --mask mask.png
    python recipes/edit.py variations runs/photo --severities .3 .5 .7
    python recipes/edit.py panorama runs/photo --size 512x4096                    # any size: tiles, state on disk, resumable
    python recipes/edit.py variations photo.jpg --style painting.jpg --weight .05
    python recipes/edit.py variations runs/photo --text "a stormy sea" --clip clip-vit-base-patch32/

SDEdit: Meng et al. 2021, arXiv 2108.01073. Resampling of what is repainted: Lugmayr et al. 2022, arXiv 2201.09865.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tyro
from tyro.conf import Positional

from degrade import GaussianNoise
from degrade.lazy import torch
from recipes import cli
from recipes.instant import Guide, Settings, filled, generate, held, placed
from samplers import DDPM, Canvas, Resampled, steered, uniform

if TYPE_CHECKING:
    from torch import Tensor

    from recipes.run import Run


FILLED = 0.6
"""Severity that a picture is degraded to where what is around it, or missing from it, was filled in smoothly."""
FINE = 0.5
"""Size of the coarsest scale, of the picture's, where its layout is to stay."""


@dataclass(frozen=True)
class _Edit:
    source: Positional[Path]
    """Folder of a run, or a photograph to work from without training."""
    image: Path | None = None
    """The picture to edit (default: the photograph of the source)."""
    count: int = 1
    """Images of each kind; image i has the seed `seed + i`."""
    seed: int = 0
    """Everything random derives from it."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 6 a scale)."""
    detail: int = 250
    """Without training, the longer side of the pictures is reduced to this, pixels."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-<command>)."""
    text: str | None = None
    """Words that the result is pulled towards, with --clip."""
    clip: str | None = None
    """Folder, or name on the hub, of a CLIP for --text (extra `text`)."""
    style: Path | None = None
    """Picture whose colours and textures the result is pulled towards."""
    weight: float = 0.05
    """How far --text and --style may move a value in a step, of the range [-1, 1]."""

    def __post_init__(self) -> None:
        if self.count < 1 or (self.steps is not None and self.steps < 1):
            raise ValueError(f"count and steps are at least 1, got {self.count} and {self.steps}.")
        if (self.text is None) != (self.clip is None):
            raise ValueError("--text and --clip belong together: words, and the CLIP that understands them.")

    def opened(self) -> Editor:
        return Editor(self.source, self.image, self.detail, self.steps, self.steering())

    def steering(self) -> list[Guide]:
        """What the result is pulled towards."""
        from restore import losses
        from restore.images import load_image

        pulls: list[Callable[[Tensor], Tensor]] = []
        if self.text is not None and self.clip is not None:
            pulls.append(losses.text(self.text, self.clip))
        if self.style is not None:
            pulls.append(losses.style(load_image(self.style, self.detail), 3))
        return [_pull(loss, self.weight) for loss in pulls]

    def finish(self, command: str, images: dict[str, Tensor], shown: list[Tensor], columns: int) -> None:
        """Writes the images by name, and the grid."""
        from restore.images import grid, save_image
        from restore.provenance import provenance

        folder = self.out or Path("runs") / f"{self.source.stem}-{command}"
        for name, image in images.items():
            save_image(image, folder / f"{name}.png", provenance())
        save_image(grid(shown, columns), folder / "grid.png")
        print(f"{len(images)} image(s) in {folder}; grid.png shows them")


def _pull(loss: Callable[[Tensor], Tensor], weight: float) -> Guide:
    return lambda restore, _: steered(restore, loss, weight)


class Editor:
    """A run or the closed-form restorer of a photograph, and the picture that is edited (C, H, W)."""

    def __init__(self, source: Path, image: Path | None, detail: int, steps: int | None, guides: list[Guide]) -> None:
        from recipes.run import open_run
        from restore.images import load_image, shrink

        self.steps, self.guides = steps, guides
        self.run: Run | None = open_run(source) if source.is_dir() else None
        if self.run is not None:
            self.picture = self.run.image(image)
            self.original = load_image(image).shape[-2:] if image else None
        else:
            self.photograph = load_image(source, detail)
            whole = load_image(image or source)
            self.picture, self.original = shrink(whole, detail), whole.shape[-2:]

    def mask(self, path: Path) -> Tensor:
        """The mask (1, H, W): 1 where the file is bright. Raises ValueError if its size is another, or nothing is."""
        from restore.images import load_image

        mask = load_image(path, channels=1)
        sizes = {tuple(size) for size in (self.original, self.picture.shape[-2:]) if size is not None}
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
        resample: int | None = 1,
        without: Tensor | None = None,
        fine: bool = False,
    ) -> Tensor:
        """Images (count, C, H, W): from noise, or from `begin` degraded to `severity`; `known` (picture, mask) stays.

        resample: times that each step is taken; None for 3 with a run and 1 without training.
        Without training: `without` is the part of the photograph that is not used; `fine` leaves out the coarse scales, and so
        keeps the layout.
        """
        device = self.run.device if self.run else "cpu"
        resample = resample or (3 if self.run else 1)
        guides = [*self.guides, *([held(known[0].to(device), known[1].to(device))] if known else [])]
        if self.run is None:
            settings = replace(Settings(), steps=self.steps or Settings().steps)
            if fine:
                settings = replace(settings, coarsest=round(FINE * min(size)))
            if known and begin is None:  # filled in, and at scales that show as much of what is known as usual
                begin, severity = filled(*known), FILLED
                share = min(float(known[1].amax(2).mean()), float(known[1].amax(1).mean()))
                settings = replace(settings, coarsest=round(settings.coarsest / max(share, 0.1)))
            make = partial(generate, self.photograph, size, count, settings, seed, guides=guides, without=without)
            return make(begin=begin, severity=severity, resample=resample)
        return torch.cat([self._walked(size, seed + i, begin, severity, guides, resample) for i in range(count)])

    def _walked(
        self, size: tuple[int, int], seed: int, begin: Tensor | None, severity: float, guides: list[Guide], resample: int
    ) -> Tensor:
        """One image of the run (1, C, H, W)."""
        from degrade import Start, seeds

        assert self.run is not None
        if not 0 < severity <= 1:
            raise ValueError(f"severity lies in (0, 1], got {severity}.")
        generators = seeds(seed, 1)
        degradation = self.run.recipe.degradation
        if begin is None:
            start = self.run.prior.sample((1, self.run.size[0], *size), generators)
        else:
            latent = degradation.draw(begin[None], generators)
            start = Start(degradation(begin[None], torch.tensor([severity]), latent), latent)
        restore = self.run.guided()
        for guide in guides:
            restore = guide(restore, size)
        sampler = self.run.recipe.sampling.sampler
        if resample > 1:
            hot = isinstance(degradation, GaussianNoise)
            sampler = Resampled(DDPM("small") if hot else sampler, resample)  # type: ignore[arg-type]
        x = self.run.walk(start, severity, self.steps, sampler, generators, restore=restore)
        return x.cpu().clamp(-1, 1)


@dataclass(frozen=True)
class Outpaint(_Edit):
    """More of a picture around it; its own pixels stay."""

    size: cli.Size | None = None
    """Height x width of the result (default: half as much again)."""
    crop: float = 1.0
    """Take only the middle of the picture, this share of its sides (to try it where the truth is known)."""
    resample: int | None = None
    """Times that each step is taken, for old and new to agree (default: 3 for a run, 1 without training)."""

    def __call__(self) -> None:
        editor = self.opened()
        picture = middle(editor.picture, self.crop)
        if editor.run is None and self.image is None:
            editor.photograph = picture
        height, width = picture.shape[-2:]
        size = self.size or (round(1.5 * height), round(1.5 * width))
        known = placed(picture, size)
        made = editor.make(size, self.count, self.seed, known=known, resample=self.resample)
        images = {f"{size[0]}x{size[1]}-seed-{self.seed + i}": image for i, image in enumerate(made)}
        self.finish("outpaint", images, [known[0] + (1 - known[1]), *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class Inpaint(_Edit):
    """Part of a picture made anew; the rest stays."""

    mask: Path = Path("mask.png")
    """Picture of the same size, white where it is to be made anew."""
    resample: int | None = None
    """Times that each step is taken, for old and new to agree (default: 3 for a run, 1 without training)."""

    def __call__(self) -> None:
        editor = self.opened()
        hole = editor.mask(self.mask)
        picture = editor.picture
        size = (picture.shape[1], picture.shape[2])
        known, without = (picture, 1 - hole), hole if self.image in (None, self.source) else None
        made = editor.make(size, self.count, self.seed, known=known, resample=self.resample, without=without)
        images = {f"seed-{self.seed + i}": image for i, image in enumerate(made)}
        self.finish("inpaint", images, [picture * (1 - hole) + hole, *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class _FromSeverities(_Edit):
    severities: tuple[float, ...] = (0.3, 0.5, 0.7)
    """How far the picture is degraded before it is restored: more changes more."""

    def made_at(self, editor: Editor, command: str, known: tuple[Tensor, Tensor] | None = None, fine: bool = False) -> None:
        """A row of images for each severity."""
        picture = editor.picture
        size = (picture.shape[1], picture.shape[2])
        images: dict[str, Tensor] = {}
        for severity in self.severities:
            made = editor.make(size, self.count, self.seed, picture, severity, known, fine=fine)
            images |= {f"severity-{severity:g}-seed-{self.seed + i}": image for i, image in enumerate(made)}
        found = list(images.values())
        rows = [found[i : i + self.count] for i in range(0, len(found), self.count)]
        columns = 1 + len(rows)
        shown = [x for i in range(self.count) for x in (picture, *(row[i] for row in rows))]
        self.finish(command, images, shown, columns)


@dataclass(frozen=True)
class SDEdit(_FromSeverities):
    """Strokes, or a paste, made into a picture of the source: --image, and --mask if only part of it may change."""

    mask: Path | None = None
    """Picture of the same size, white where it may change (default: everywhere)."""

    def __call__(self) -> None:
        editor = self.opened()
        known = (editor.picture, 1 - editor.mask(self.mask)) if self.mask else None
        self.made_at(editor, "sdedit", known)


@dataclass(frozen=True)
class Harmonise(_FromSeverities):
    """A pasted object made to look as if it belonged: --image with the paste, --mask white where it is."""

    mask: Path = Path("mask.png")
    """Picture of the same size, white where the paste is."""
    margin: int = 6
    """Pixels around the paste that may change too."""
    severities: tuple[float, ...] = (0.2, 0.35, 0.5)
    """How far the picture is degraded before it is restored: more changes more."""

    def __call__(self) -> None:
        editor = self.opened()
        hole = editor.mask(self.mask)[None]
        side = 2 * self.margin + 1
        hole = torch.nn.functional.max_pool2d(hole, side, 1, self.margin)[0]
        self.made_at(editor, "harmonise", (editor.picture, 1 - hole), fine=True)


@dataclass(frozen=True)
class Variations(_FromSeverities):
    """The picture again, a little or a lot different."""

    def __call__(self) -> None:
        self.made_at(self.opened(), "variations")


@dataclass(frozen=True)
class Panorama:
    """One image of any size from a run, in tiles; its state lies on disk, and the same command goes on where it stopped."""

    source: Positional[Path]
    """Folder of a run whose restorer is local (PatchUNet with norm pixel), such as SinDiffusion's fast preset leaves."""
    size: cli.Size = (512, 2048)
    """Height x width in pixels."""
    steps: int | None = None
    """Steps of the walk back (default: the run's)."""
    seed: int = 0
    """Everything random derives from it."""
    tile: int = 512
    """Side of the tiles, pixels: more is faster and takes more memory."""
    out: Path | None = None
    """File, .png or .tif (default: runs/<name>-panorama/<size>-seed-<seed>.png)."""

    def __call__(self) -> None:
        from tqdm import tqdm

        from restore.streams import write_bands

        run, degradation, halo, stride = local_run(self.source)
        height, width = self.size
        path = self.out or Path("runs") / f"{self.source.name}-panorama" / f"{height}x{width}-seed-{self.seed}.png"
        canvas = Canvas(path.with_name(f".{path.name}.canvas"), (run.size[0], height, width), self.tile, halo, stride)
        sampling = run.recipe.sampling
        times = uniform(self.steps or sampling.steps)
        with tqdm(desc="making tiles", unit="tile", dynamic_ncols=True) as bar:

            def on_tile(done: int, total: int) -> None:
                bar.total = total
                bar.initial = bar.initial or done - 1
                bar.update(done - bar.n)

            canvas.walk(sampling.sampler, run.guided(), degradation, times, self.seed, run.device, on_tile)
        write_bands(path, canvas.size, canvas.bands())
        canvas.remove()
        print(f"{height} x {width} pixels in {path}")


def local_run(source: Path) -> tuple[Run, GaussianNoise, int, int]:
    """The run, its noise, how far its restorer sees (pixels), and the squares it works on. ValueError if it sees everything."""
    from models import PatchUNetConfig
    from models.receptive_field import receptive_field
    from recipes.run import open_run

    run = open_run(source)
    network = run.recipe.network
    if not isinstance(network, PatchUNetConfig) or network.norm != "pixel" or run.recipe.stem is not None:
        raise ValueError(
            f"{source} was trained with a network that sees the whole image: tiles would not fit together. Train a PatchUNet "
            "with --network.norm pixel (SinDiffusion's fast preset), or use sample for what fits in memory."
        )
    if not isinstance(run.recipe.degradation, GaussianNoise):
        raise ValueError(f"{source} undoes {type(run.recipe.degradation).__name__}: panoramas are made from Gaussian noise.")
    if run.recipe.sampling.pad_to > 1:
        raise ValueError(f"{source} pads images for its network: tiles would not fit together.")
    return run, run.recipe.degradation, receptive_field(network) // 2 + network.stride, network.stride


def middle(x: Tensor, share: float) -> Tensor:
    """The middle of x (C, H, W), `share` of its sides."""
    if not 0 < share <= 1:
        raise ValueError(f"crop is a share in (0, 1], got {share}.")
    height, width = (max(1, round(share * side)) for side in x.shape[-2:])
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return x[:, top : top + height, left : left + width]


Command = Union[
    Annotated[Outpaint, tyro.conf.subcommand("outpaint")],
    Annotated[Inpaint, tyro.conf.subcommand("inpaint")],
    Annotated[SDEdit, tyro.conf.subcommand("sdedit")],
    Annotated[Harmonise, tyro.conf.subcommand("harmonise")],
    Annotated[Variations, tyro.conf.subcommand("variations")],
    Annotated[Panorama, tyro.conf.subcommand("panorama")],
]

if __name__ == "__main__":
    cli.run(lambda args: tyro.cli(Command, args=args, prog="edit.py", description=__doc__)())
