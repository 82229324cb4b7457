"""Images of any size, larger than memory: the command `panorama` of recipes/edit.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from degrade import Gaussian
from degrade.files import discard, subfolder
from recipes.command.limits import SEED, SIDE, STEPS, check_options
from recipes.command.outputs import check_file
from recipes.command.pasteable import again, pasteable
from recipes.command.seen import say_seen
from recipes.command.size import Size
from recipes.command.source import is_run, name_of, opened, worded
from restore.pipelines.generation import Edit
from restore.pipelines.likeness import LikenessPrior
from samplers import Canvas, panorama

if TYPE_CHECKING:
    from torch import Tensor

    from restore.pipelines.pipeline import Pipeline


@dataclass(frozen=True)
class Panorama:
    """One image of any size, in tiles; its state lies on disk, and the same command goes on where it stopped."""

    source: Positional[Path]
    """A run (its folder, or hf://user/run), or a photograph to work from without training. Of runs, those with a local network
    (PatchUNet with norm pixel, such as SinDiffusion's fast preset) give the image of one call, but for what brings samples as
    a whole to the photograph's colours; others a blend of windows, made in memory."""
    size: Size = (512, 2048)
    """Height x width in pixels."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 4 a scale)."""
    seed: int = 0
    """Everything random derives from it."""
    prompt: str | None = None
    """Words that it is to show, of a run that knows words, or the name of a class, of one that knows classes."""
    tile: int = 512
    """Side of the tiles, pixels: more is faster and takes more memory; they are at least as large as what a pixel is made
    from."""
    detail: int | None = None
    """Without training, the longer side of the photograph is reduced to this, pixels (default: so that it is as high as a wide
    panorama, as wide as a high one, and at most 512 pixels)."""
    out: Path | None = None
    """File, .png or .tif (default: runs/<name>-panorama/<size>-seed-<seed>.png)."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""
    device: str | None = None
    """Where a run is used, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_options(self, steps=STEPS, seed=SEED, tile=SIDE, detail=SIDE)

    def __call__(self) -> None:
        from restore.data.bands import write_bands, writer
        from restore.machine.provenance import provenance

        height, width = self.size
        path = self.out or Path("runs") / f"{name_of(self.source)}-panorama" / f"{height}x{width}-seed-{self.seed}.png"
        writer(check_file(path, self.source))  # refuses what could not be written in the end
        folder = subfolder(path.parent, f".{path.name}.canvas")
        pipeline = opened(self.source, self._detail(), self.types, self.device).using(steps=self.steps).spanning(self.size)
        pipeline = worded(pipeline, self.prompt, None)
        if not is_run(self.source):
            say_seen(self.source, pipeline.read(), "--detail")
        degradation = pipeline.degradation
        if pipeline.halo is None or not isinstance(degradation, Gaussian):
            image = self._blended(pipeline)
            write_bands(path, (image.shape[0], height, width), [image], provenance())
        else:
            if isinstance(pipeline.prior, LikenessPrior):
                whole = pasteable("sample", self.source, "--size", f"{height}x{width}")
                print(f"{self.source}: tiles are not brought to the photograph's colours as a whole image is, by {whole}")
            try:
                canvas = self._walked(pipeline, degradation, pipeline.halo, folder)
                write_bands(path, (canvas.size[0], height, width), _cut(canvas.bands(), height, width), provenance())
            except KeyboardInterrupt:
                print(f"what was made so far is kept; the same command goes on: {again()}")
                raise
            discard(folder)
        print(f"{height} x {width} pixels in {path}")

    def _detail(self) -> int:
        """The longer side that a photograph is reduced to, pixels."""
        from restore.data.decoding import image_size

        if self.detail is not None or is_run(self.source):
            return self.detail or 0
        stored = image_size(self.source)
        axis = 0 if self.size[0] <= self.size[1] else 1
        return round(max(stored) * min(*self.size, 512) / stored[axis])

    def _walked(self, pipeline: Pipeline, degradation: Gaussian, halo: int, folder: Path) -> Canvas:
        from tqdm import tqdm

        with tqdm(desc="making tiles", unit="tile", dynamic_ncols=True) as bar:

            def on_tile(done: int, total: int) -> None:
                bar.total = total
                bar.initial = bar.initial or done - 1
                bar.update(done - bar.n)

            return panorama(
                folder,
                pipeline.scales(pipeline.padded(self.size)),
                pipeline.sampling.sampler,
                degradation,
                tile=self.tile,
                halo=halo,
                stride=pipeline.stride,
                channels=pipeline.size[0],
                seed=self.seed,
                source=pipeline.identity,
                device=pipeline.device,
                on_tile=on_tile,
            )

    def _blended(self, pipeline: Pipeline) -> Tensor:
        """In memory (C, H, W): every window is a scene of its own, their averages are made to agree at every step."""
        side = min(self.tile, max(pipeline.size[1:]))
        print(
            f"{self.source}: the network sees the whole image. Windows of {side} pixels and what is around them are blended, "
            "in memory; a run of SinDiffusion's fast preset would give one scene, on disk."
        )
        cells = max(1, side // pipeline.space.stride)
        windows = Edit(windows=(cells, max(1, cells // 4)))
        return pipeline.generate(self.size, seed=self.seed, edit=windows)[0]


def _cut(bands: Iterable[Tensor], height: int, width: int) -> Iterator[Tensor]:
    """The bands (C, rows, W) of an image, top to bottom, without what lies beyond height x width."""
    for band in bands:
        yield band[:, :height, :width]
        height -= band.shape[1]
