"""Images of any size, larger than memory: the command `panorama` of recipes/edit.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from degrade import GaussianNoise, seeds
from degrade.files import discard, subfolder
from recipes.command.limits import SEED, SIDE, STEPS, check_options
from recipes.command.outputs import check_file
from recipes.command.pasteable import pasteable
from recipes.command.size import Size
from recipes.instant import NOISE, Settings, scales_of
from recipes.own_types import types_in
from samplers import DDIM, Canvas, Scale, blended, panorama, uniform

if TYPE_CHECKING:
    from torch import Tensor

    from recipes.run import Run


@dataclass(frozen=True)
class Panorama:
    """One image of any size, in tiles; its state lies on disk, and the same command goes on where it stopped."""

    source: Positional[Path]
    """Folder of a run, or a photograph to work from without training. Of runs, those with a local network (PatchUNet with norm
    pixel, such as SinDiffusion's fast preset) give the image of one call; others a blend of windows, made in memory."""
    size: Size = (512, 2048)
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
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""

    def __post_init__(self) -> None:
        check_options(self, steps=STEPS, seed=SEED, tile=SIDE, detail=SIDE)

    def __call__(self) -> None:
        from recipes.run import open_run
        from restore.data.bands import write_bands, writer

        height, width = self.size
        path = self.out or Path("runs") / f"{self.source.stem}-panorama" / f"{height}x{width}-seed-{self.seed}.png"
        writer(check_file(path, self.source))  # refuses what could not be written in the end
        folder = subfolder(path.parent, f".{path.name}.canvas")
        run = open_run(self.source, types=types_in(self.types)) if self.source.is_dir() else None
        if run is not None and not is_local(run):
            image = self._blended(run)
            write_bands(path, (image.shape[0], height, width), [image])
        else:
            walk = self._of_run(run, folder) if run is not None else self._of_photograph(folder)
            try:
                canvas = self._walked(walk)
                write_bands(path, (canvas.size[0], height, width), _cut(canvas.bands(), height, width))
            except KeyboardInterrupt:
                print(f"what was made so far is kept; the same command goes on: {pasteable(*sys.argv[1:])}")
                raise
            discard(folder)
        print(f"{height} x {width} pixels in {path}")

    def _of_run(self, run: Run, folder: Path) -> Callable[..., Canvas]:
        from models import PatchUNetConfig
        from models.receptive_field import receptive_field
        from restore.storage.checkpoint import open_checkpoint

        weights = open_checkpoint(run.folder).sums["ema.safetensors"]

        network, degradation, sampling = run.recipe.network, run.recipe.degradation, run.recipe.sampling
        assert isinstance(network, PatchUNetConfig) and isinstance(degradation, GaussianNoise)  # is_local
        return partial(
            panorama,
            folder,
            [Scale(run.squares(self.size), run.guided(), uniform(sampling.steps if self.steps is None else self.steps))],
            sampling.sampler,
            degradation,
            halo=receptive_field(network) // 2 + run.recipe.stride,
            stride=run.recipe.stride,
            channels=run.size[0],
            source=f"{run.folder.resolve()} at step {run.step}, weights {weights}",
            device=run.device,
        )

    def _of_photograph(self, folder: Path) -> Callable[..., Canvas]:
        from restore.data.decoding import image_size
        from restore.data.images import load_image
        from restore.storage.reading import sha256

        whole = image_size(self.source)
        axis = 0 if self.size[0] <= self.size[1] else 1
        fitting = round(max(whole) * min(*self.size, 512) / whole[axis])
        detail = fitting if self.detail is None else self.detail
        photograph = load_image(self.source, detail)
        settings = (Settings() if self.steps is None else Settings(steps=self.steps)).spanning(min(photograph.shape[1:]))
        return partial(
            panorama,
            folder,
            scales_of(photograph, self.size, settings),
            DDIM(),
            NOISE,
            halo=settings.side + settings.stride,
            stride=settings.stride,
            channels=photograph.shape[0],
            source=f"{self.source.resolve()} at {detail} pixels, sum {sha256(self.source)}",
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
        generators = seeds(self.seed, 1)
        start = run.start((1, run.size[0], *run.squares(self.size)), generators)
        side = min(self.tile, max(run.size[1:]))
        print(
            f"{run.folder}: the network sees the whole image. Windows of {side} pixels and what is around them are blended, in "
            "memory; a run of SinDiffusion's fast preset would give one scene, on disk."
        )
        restore = blended(run.guided(), side, max(1, side // 4), run.recipe.stride)
        x = run.walk(start, 1.0, self.steps, generators=generators, restore=restore)[0]
        return x[:, : self.size[0], : self.size[1]].cpu().clamp(-1, 1)


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


def _cut(bands: Iterable[Tensor], height: int, width: int) -> Iterator[Tensor]:
    """The bands (C, rows, W) of an image, top to bottom, without what lies beyond height x width."""
    for band in bands:
        yield band[:, :height, :width]
        height -= band.shape[1]
