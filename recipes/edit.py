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

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tyro
from tyro.conf import Positional

from degrade import GaussianNoise, Start, seeds
from degrade.lazy import torch
from recipes import cli
from recipes.instant import NOISE, Guide, Settings, filled, generate, held, laid_out, placed, scales_of, softened
from samplers import DDIM, DDPM, Canvas, Resampled, Scale, blended, panorama, steered, uniform

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
    layout: Path | None = None
    """Picture, such as a sketch, whose coarse shapes and colours the result takes."""
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
        guides = [_pull(loss, self.weight) for loss in pulls]
        return guides + ([laid_out(load_image(self.layout, self.detail))] if self.layout else [])

    def finish(self, command: str, images: dict[str, Tensor], shown: list[Tensor], columns: int) -> None:
        """Writes the images by name, and the grid."""
        from restore.images import grid, save_image
        from restore.provenance import provenance

        folder = self.out or Path("runs") / f"{self.source.stem}-{command}"
        for name, image in images.items():
            save_image(image, folder / f"{name}.png", provenance())
        save_image(grid(shown, columns), folder / "grid.png")
        print(f"{len(images)} image(s) in {folder}; grid.png shows them")


@dataclass(frozen=True)
class _Soft:
    soft: int = 0
    """Pixels over which what is known gives way to what is new: those of the known that lie nearer to it change too."""

    def kept(self, picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is known, and how far each of its pixels stays."""
        return picture, softened(mask, self.soft)


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
            settings = replace(Settings(), steps=self.steps or Settings().steps)
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
            start = run.prior.sample((1, run.size[0], *size), generators)
        else:
            begin = _grown(begin, size, "replicate")[None]
            latent = degradation.draw(begin, generators)
            start = Start(degradation(begin, torch.tensor([severity]), latent), latent)
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


def _cut(bands: Iterable[Tensor], height: int, width: int) -> Iterator[Tensor]:
    """The bands (C, rows, W) of an image, top to bottom, without what lies beyond height x width."""
    for band in bands:
        yield band[:, :height, :width]
        height -= band.shape[1]


@dataclass(frozen=True)
class Outpaint(_Soft, _Edit):
    """More of a picture around it; its own pixels stay."""

    size: cli.Size | None = None
    """Height x width of the result (default: half as much again)."""
    crop: float = 1.0
    """Take only the middle of the picture, this share of its sides (to try it where the truth is known)."""
    resample: int = 3
    """Times that each step is taken, for old and new to agree; without training, each of the coarsest scale."""

    def __call__(self) -> None:
        editor = self.opened()
        picture = middle(editor.picture, self.crop)
        if editor.run is None and self.image is None:
            editor.photograph = picture
        height, width = picture.shape[-2:]
        size = self.size or (round(1.5 * height), round(1.5 * width))
        canvas, mask = placed(picture, size)
        known = self.kept(canvas, mask)
        made = editor.make(size, self.count, self.seed, known=known, resample=self.resample)
        images = {f"{size[0]}x{size[1]}-seed-{self.seed + i}": image for i, image in enumerate(made)}
        self.finish("outpaint", images, [canvas + (1 - mask), *made], 1 + min(3, len(made)))


@dataclass(frozen=True)
class Inpaint(_Soft, _Edit):
    """Part of a picture made anew; the rest stays."""

    mask: Path = Path("mask.png")
    """Picture of the same size, white where it is to be made anew."""
    resample: int = 3
    """Times that each step is taken, for old and new to agree; without training, each of the coarsest scale."""

    def __call__(self) -> None:
        editor = self.opened()
        hole = editor.mask(self.mask)
        picture = editor.picture
        size = (picture.shape[1], picture.shape[2])
        known, without = self.kept(picture, 1 - hole), hole if self.image in (None, self.source) else None
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
class SDEdit(_Soft, _FromSeverities):
    """Strokes, or a paste, made into a picture of the source: --image, and --mask if only part of it may change."""

    mask: Path | None = None
    """Picture of the same size, white where it may change (default: everywhere)."""

    def __call__(self) -> None:
        editor = self.opened()
        known = self.kept(editor.picture, 1 - editor.mask(self.mask)) if self.mask else None
        self.made_at(editor, "sdedit", known)


@dataclass(frozen=True)
class Harmonise(_Soft, _FromSeverities):
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
        self.made_at(editor, "harmonise", self.kept(editor.picture, 1 - hole), fine=True)


@dataclass(frozen=True)
class Variations(_FromSeverities):
    """The picture again, a little or a lot different."""

    def __call__(self) -> None:
        self.made_at(self.opened(), "variations")


@dataclass(frozen=True)
class Panorama:
    """One image of any size, in tiles; its state lies on disk, and the same command goes on where it stopped."""

    source: Positional[Path]
    """Folder of a run, or a photograph to work from without training. Of runs, those with a local network (PatchUNet with norm
    pixel, such as SinDiffusion's fast preset) give the image of one call; others a blend of windows, made in memory."""
    size: cli.Size = (512, 2048)
    """Height x width in pixels."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 6 a scale)."""
    seed: int = 0
    """Everything random derives from it."""
    tile: int = 512
    """Side of the tiles, pixels: more is faster and takes more memory."""
    detail: int | None = None
    """Without training, the longer side of the photograph is reduced to this, pixels (default: so that it is as high as a wide
    panorama, as wide as a high one, and at most 512 pixels)."""
    out: Path | None = None
    """File, .png or .tif (default: runs/<name>-panorama/<size>-seed-<seed>.png)."""

    def __call__(self) -> None:
        from recipes.run import open_run
        from restore.streams import write_bands

        height, width = self.size
        path = self.out or Path("runs") / f"{self.source.stem}-panorama" / f"{height}x{width}-seed-{self.seed}.png"
        folder = path.with_name(f".{path.name}.canvas")
        run = open_run(self.source) if self.source.is_dir() else None
        if run is not None and not is_local(run):
            image = self._blended(run)
            write_bands(path, (image.shape[0], height, width), [image])
        else:
            walk = self._of_run(run, folder) if run is not None else self._of_photograph(folder)
            canvas = self._walked(walk)
            write_bands(path, (canvas.size[0], height, width), _cut(canvas.bands(), height, width))
            shutil.rmtree(folder)
        print(f"{height} x {width} pixels in {path}")

    def _of_run(self, run: Run, folder: Path) -> Callable[..., Canvas]:
        from models import PatchUNetConfig
        from models.receptive_field import receptive_field

        network, degradation, sampling = run.recipe.network, run.recipe.degradation, run.recipe.sampling
        assert isinstance(network, PatchUNetConfig) and isinstance(degradation, GaussianNoise)  # is_local
        return partial(
            panorama,
            folder,
            [Scale(run.squares(self.size), run.guided(), uniform(self.steps or sampling.steps))],
            sampling.sampler,
            degradation,
            halo=receptive_field(network) // 2 + network.stride,
            stride=network.stride,
            channels=run.size[0],
            source=f"{run.folder.resolve()} at step {run.step}",
            device=run.device,
        )

    def _of_photograph(self, folder: Path) -> Callable[..., Canvas]:
        from restore.images import load_image, shrink

        whole = load_image(self.source)
        axis = 1 if self.size[0] <= self.size[1] else 2
        detail = self.detail or round(max(whole.shape) * min(*self.size, 512) / whole.shape[axis])
        photograph = shrink(whole, detail)
        steps = self.steps or Settings().steps
        settings = Settings(steps=steps).spanning(min(photograph.shape[1:]))
        return partial(
            panorama,
            folder,
            scales_of(photograph, self.size, settings),
            DDIM(),
            NOISE,
            halo=settings.side + settings.stride,
            stride=settings.stride,
            channels=photograph.shape[0],
            source=f"{self.source.resolve()} at {detail} pixels",
        )

    def _walked(self, walk: Callable[..., Canvas]) -> Canvas:
        from tqdm import tqdm

        with tqdm(desc="making tiles", unit="tile", dynamic_ncols=True) as bar:

            def on_tile(done: int, total: int) -> None:
                bar.total = total
                bar.initial = bar.initial or done - 1
                bar.update(done - bar.n)

            return walk(tile=self.tile, seed=self.seed, on_tile=on_tile)

    def _blended(self, run: Run) -> Tensor:
        """In memory (C, H, W): every window is a scene of its own, their averages are made to agree at every step."""
        from restore.memory import free_memory, readable

        channels, height, width = run.size[0], *self.size
        needed, free = 32 * channels * height * width, free_memory()  # the state, the estimate, and what a step makes of them
        if needed > free:
            raise ValueError(
                f"{height} x {width} pixels take about {readable(needed)}, there is not enough memory ({readable(free)}): "
                "choose a smaller size, or a run with a local network, which makes images on disk."
            )
        side = min(self.tile, max(run.size[1:]))
        print(
            f"{run.folder}: the network sees the whole image. Windows of {side} pixels and what is around them are blended, in "
            "memory; a run of SinDiffusion's fast preset would give one scene, on disk."
        )
        generators = seeds(self.seed, 1)
        start = run.prior.sample((1, channels, height, width), generators)
        restore = blended(run.guided(), side, max(1, side // 4), 8)
        return run.walk(start, 1.0, self.steps, generators=generators, restore=restore)[0].cpu().clamp(-1, 1)


def is_local(run: Run) -> bool:
    """Whether tiles of the run's images fit together: Gaussian noise, undone by a network without a view of the whole."""
    from models import PatchUNetConfig

    network = run.recipe.network
    return (
        isinstance(run.recipe.degradation, GaussianNoise)
        and isinstance(network, PatchUNetConfig)
        and network.norm == "pixel"
        and run.recipe.stem is None
        and run.recipe.sampling.pad_to == 1
    )


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
