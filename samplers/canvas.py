"""Images larger than memory: a walk whose state lies on disk, taken tile by tile, that can be interrupted and resumed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.gaussian_noise import GaussianNoise, Noise
from degrade.lazy import torch
from degrade.protocols import Start
from degrade.random import Field, normal
from degrade.severity import wide_dtype
from samplers.driver import Sampler
from samplers.first_order import DDIM, DDPM, Improved, Naive
from samplers.tiled import Tile, tiles

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from degrade.protocols import Restore


class CanvasError(ValueError):
    """A canvas that cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Canvas:
    """One image (channels, height, width) that is generated from Gaussian noise in tiles.

    Every random number is addressed by seed, step and place (`degrade.random.Field`), so that what a region holds depends
    neither on the size of the tiles nor on their order. Two states of 4 bytes a value lie in `folder` while it is made, the
    last one afterwards. Memory: one window, and what the system keeps of the files.
    """

    folder: Path
    size: tuple[int, int, int]
    """Channels, height, width."""
    tile: int
    """Side of the tiles, pixels."""
    halo: int
    """How far the restorer sees around a tile, pixels."""
    stride: int = 1
    """The restorer works on squares of so many pixels."""

    def walk(
        self,
        sampler: Sampler,
        restore: Restore,
        degradation: GaussianNoise,
        times: Tensor,
        seed: int = 0,
        device: torch.device | str = "cpu",
        on_tile: Callable[[int, int], None] | None = None,
    ) -> None:
        """Walks from noise at times[0] to times[-1]; goes on where an earlier call in this folder was interrupted.

        `on_tile(done, total)` is told of every tile. Raises CanvasError for another sampler than DDIM, DDPM, Naive and
        Improved, another degradation than Gaussian noise, a disk without room, or a folder that holds something else.
        """
        if not isinstance(sampler, DDIM | DDPM | Naive | Improved) or not isinstance(degradation, GaussianNoise):
            raise CanvasError(
                f"a canvas takes one-step samplers (DDIM, DDPM, Naive, Improved) and Gaussian noise, got {sampler} and "
                f"{type(degradation).__name__}."
            )
        grid = [float(t) for t in times]
        _, height, width = self.size
        next(tiles(height, width, self.tile, self.halo, self.stride))  # refuses what cannot be tiled
        done = self._begun({"size": self.size, "tile": self.tile, "walk": [repr(sampler), repr(degradation), grid, seed]})
        every = list(tiles(height, width, self.tile, self.halo, self.stride))
        total = len(every) * (len(grid) - 1)
        for number, (t, s) in enumerate(itertools.pairwise(grid)):
            if done >= (number + 1) * len(every):
                self._file(number).unlink(missing_ok=True)
                continue
            before = self._state(number) if number else None
            after = self._state(number + 1, create=done == number * len(every))
            for tile in every[done - number * len(every) :]:
                x = self._step(tile, before, sampler, restore, degradation, number, t, s, seed, device)
                after[(..., *tile.core)] = x[(0, ..., *tile.inner)].cpu().numpy()
                done += 1
                if tile.core[1].stop == self.size[2]:  # a row of tiles
                    after.flush()
                    self._note(done)
                if on_tile is not None:
                    on_tile(done, total)
            self._file(number).unlink(missing_ok=True)

    def bands(self, rows: int = 256) -> Iterator[Tensor]:
        """The finished image from top to bottom, (C, up to `rows`, W) in [-1, 1] at a time."""
        path = max(self.folder.glob("state-*.f32"))
        state = self._open(path, "r")
        for top in range(0, self.size[1], rows):
            yield torch.from_numpy(state[:, top : top + rows].copy()).clamp(-1, 1)

    def remove(self) -> None:
        """Frees the disk."""
        shutil.rmtree(self.folder)

    def _step(
        self,
        tile: Tile,
        before: np.memmap | None,
        sampler: Sampler,
        restore: Restore,
        degradation: GaussianNoise,
        number: int,
        t: float,
        s: float,
        seed: int,
        device: torch.device | str,
    ) -> Tensor:
        """x_s (1, C, h, w) on the tile's window."""
        rows, columns = tile.window
        shape = (1, self.size[0], rows.stop - rows.start, columns.stop - columns.start)

        def field(step: int) -> Field:
            return Field((seed, step), rows.start, columns.start)

        fixed = before is None or isinstance(sampler, Naive | Improved)  # the latent that the walk began with
        eps = normal(shape, field(0)).to(device) if fixed else torch.empty(0)
        x = eps if before is None else torch.from_numpy(before[(..., *tile.window)].copy())[None].to(device)
        at, to = (torch.full((1,), value, device=device, dtype=wide_dtype(torch.device(device))) for value in (t, s))
        with torch.no_grad():
            state = sampler.step(restore, degradation, Start(x, Noise(eps)), at, to, field(number + 1))
        return state.x

    def _begun(self, settings: dict) -> int:
        """Tiles that are done already; begins, if nothing is there."""
        settings = json.loads(json.dumps(settings))
        path = self.folder / "canvas.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            done = found.pop("done")
            if found != settings:
                raise CanvasError(
                    f"{self.folder} holds another image: finish that with its own settings, or name another folder."
                )
            return done
        self.folder.mkdir(parents=True, exist_ok=True)
        channels, height, width = self.size
        needed, free = 8 * channels * height * width, shutil.disk_usage(self.folder).free
        if needed > free:
            raise CanvasError(
                f"{height} x {width} pixels take {needed / 2**30:.1f} GiB in {self.folder} while they are made, "
                f"{free / 2**30:.1f} GiB are free: choose a smaller size or another disk."
            )
        path.write_text(json.dumps({**settings, "done": 0}), encoding="utf-8")
        return 0

    def _note(self, done: int) -> None:
        path = self.folder / "canvas.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "done": done}), encoding="utf-8")
        os.replace(part, path)

    def _file(self, number: int) -> Path:
        return self.folder / f"state-{number:05d}.f32"

    def _state(self, number: int, create: bool = False) -> np.memmap:
        return self._open(self._file(number), "w+" if create else "r+")

    def _open(self, path: Path, mode: str) -> np.memmap:
        import numpy as np

        return np.memmap(path, np.float32, mode, shape=self.size)  # type: ignore[call-overload]
