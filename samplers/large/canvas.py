"""Images larger than memory: a walk whose state lies on disk, taken tile by tile, that can be interrupted and resumed."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.files import atomic_write, discard, own, subfolder
from degrade.lazy import torch
from degrade.protocols import Gaussian, State
from degrade.random import Field, check_seed
from degrade.severity import wide_dtype
from degrade.tree import tree_map
from samplers.driver import OneStep, Sampler
from samplers.large.tiles import Tile, tiles

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from degrade.protocols import Restore


def _field(tile: Tile, words: Sequence[int], step: int) -> Field:
    return Field((*words, step), tile.window[0].start, tile.window[1].start)


LARGEST_NOTES = 2**20
"""Bytes of canvas.json, at most."""


class CanvasError(ValueError):
    """A canvas that cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Canvas:
    """One image (channels, height, width) that is generated in tiles, under a Gaussian degradation.

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
    """Windows begin at multiples of this, pixels: the stride of the restorer."""
    source: str = ""
    """What the restorer was made from: an interrupted image goes on only with the same."""

    def walk(
        self,
        sampler: Sampler,
        restore: Restore,
        degradation: Gaussian,
        times: Tensor,
        words: Sequence[int] = (0,),
        device: torch.device | str = "cpu",
        on_tile: Callable[[int, int], None] | None = None,
        begin: Callable[[tuple[slice, slice]], Tensor] | None = None,
    ) -> None:
        """Walks from times[0] to times[-1]; goes on where an earlier call in this folder was interrupted.

        It begins with the degradation's prior, or with `begin(window)` (1, C, h, w) degraded to times[0]. Random numbers derive
        from `words`, a seed and what tells this walk from others. `on_tile(done, total)` is told of every tile. Raises
        CanvasError for samplers that take more than one step (`OneStep`), degradations that are not Gaussian, a disk without
        room, or a folder that holds something else; LinkError for links in it.
        """
        if not isinstance(sampler, OneStep) or not isinstance(degradation, Gaussian):
            raise CanvasError(
                f"a canvas takes one-step samplers (DDIM, DDPM, Naive, Improved) and Gaussian degradations, got {sampler} and "
                f"{type(degradation).__name__}."
            )
        check_seed(words[0])
        grid = [float(t) for t in times]
        _, height, width = self.size
        every = list(tiles(height, width, self.tile, self.halo, self.stride))
        cores = [sorted({tile.core[axis].stop for tile in every}) for axis in (0, 1)]
        walk = [repr(sampler), repr(degradation), grid, list(words)]
        settings = {"size": self.size, "cores": cores, "source": self.source, "walk": walk}
        total = self.count(times)
        done = self._begun(settings, total)
        for number, (t, s) in enumerate(itertools.pairwise(grid)):
            if done >= (number + 1) * len(every):
                discard(self._file(number))
                continue
            before = self._state(self._file(number)) if number else None
            after = (self._begin if done == number * len(every) else self._state)(self._file(number + 1))
            for tile in every[done - number * len(every) :]:
                if before is None:
                    state = self._start(tile, degradation, t, words, begin)
                else:
                    x = torch.from_numpy(before[(..., *tile.window)].copy())[None]
                    state = State(x, degradation.draw(x, _field(tile, words, 0)) if sampler.fixed_latent else ())
                state = tree_map(lambda z: z.to(device), state)
                at, to = (torch.full((1,), value, device=device, dtype=wide_dtype(torch.device(device))) for value in (t, s))
                with torch.no_grad():
                    x = sampler.step(restore, degradation, state, at, to, _field(tile, words, number + 1)).x
                after[(..., *tile.core)] = x[(0, ..., *tile.inner)].cpu().numpy()
                done += 1
                if tile.core[1].stop == self.size[2]:  # a row of tiles
                    after.flush()
                    self._note({**settings, "done": done})
                if on_tile is not None:
                    on_tile(done, total)
            discard(self._file(number))

    def count(self, times: Tensor) -> int:
        """Tiles of a walk, over all its steps."""
        _, height, width = self.size
        side = -(-self.tile // self.stride) * self.stride
        return -(-height // side) * -(-width // side) * (len(times) - 1)

    def check_room(self) -> None:
        """Raises CanvasError for a disk without room for the states."""
        channels, height, width = self.size
        there = next(path for path in (self.folder, *self.folder.absolute().parents) if path.exists())
        needed, free = 8 * channels * height * width, shutil.disk_usage(there).free
        if needed > free:
            raise CanvasError(
                f"{height} x {width} pixels take {needed / 2**30:.1f} GiB in {there} while they are made, "
                f"{free / 2**30:.1f} GiB are free: choose a smaller size or another disk."
            )

    def window(self, rows: slice, columns: slice) -> Tensor:
        """A part of the finished image (1, C, h, w)."""
        return torch.from_numpy(self._finished()[:, rows, columns].copy())[None]

    def bands(self, rows: int = 256) -> Iterator[Tensor]:
        """The finished image from top to bottom, (C, up to `rows`, W) in [-1, 1] at a time."""
        state = self._finished()
        for top in range(0, self.size[1], rows):
            yield torch.from_numpy(state[:, top : top + rows].copy()).clamp(-1, 1)

    def remove(self) -> None:
        """Frees the disk."""
        discard(self.folder)

    def _start(
        self,
        tile: Tile,
        degradation: Gaussian,
        t: float,
        words: Sequence[int],
        begin: Callable[[tuple[slice, slice]], Tensor] | None,
    ) -> State:
        """What the walk begins with at severity t, on the tile's window; its latent depends on the place alone."""
        field = _field(tile, words, 0)
        if begin is None:
            rows, columns = tile.window
            shape = (1, self.size[0], rows.stop - rows.start, columns.stop - columns.start)
            return degradation.prior(torch.zeros(1, self.size[0], 1, 1)).sample(shape, field)
        x0 = begin(tile.window)
        latent = degradation.draw(x0, field)
        return State(degradation(x0, torch.tensor([t], dtype=torch.float64), latent), latent)

    def _begun(self, settings: dict, total: int) -> int:
        """Tiles of `total` that are done already; begins, if nothing is there."""
        subfolder(self.folder.parent, self.folder.name)
        if self._notes.exists():
            try:
                with own(self._notes) as file:
                    found = json.loads(file.read(LARGEST_NOTES))
                done = int(found.pop("done"))
                if not 0 <= done <= total:
                    raise ValueError
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                raise CanvasError(f"{self._notes} is damaged: delete {self.folder} to begin anew.") from None
            if found != json.loads(json.dumps(settings)):
                raise CanvasError(
                    f"{self.folder} holds another image: finish that with its own settings, or name another folder."
                )
            return done
        self.check_room()
        self._note({**settings, "done": 0})
        return 0

    @property
    def _notes(self) -> Path:
        return self.folder / "canvas.json"

    def _note(self, settings: dict) -> None:
        with atomic_write(self._notes) as part:
            part.write_text(json.dumps(settings), encoding="utf-8")

    def _file(self, number: int) -> Path:
        return self.folder / f"state-{number:05d}.f32"

    def _finished(self) -> np.memmap:
        return self._state(max(self.folder.glob("state-*.f32"), default=self._file(0)))

    def _begin(self, path: Path) -> np.memmap:
        """An empty state: a full disk is an error now, not a signal in the middle of a tile."""
        with own(path, new=True) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, self._bytes)
            else:
                file.truncate(self._bytes)
        return self._state(path)

    def _state(self, path: Path) -> np.memmap:
        """The values in a file of this canvas. Raises CanvasError where it is not of its size."""
        import numpy as np

        if not path.exists() or path.stat().st_size != self._bytes:
            raise CanvasError(f"{path} is missing or damaged: delete {self.folder} to begin anew.")
        with own(path) as file:
            return np.memmap(file, np.float32, "r+", shape=self.size)

    @property
    def _bytes(self) -> int:
        return 4 * math.prod(self.size)
