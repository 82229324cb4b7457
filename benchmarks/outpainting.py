"""Outpainting held against what is known: photographs cut to their middle, extended to their size again without training.

    python benchmarks/outpainting.py photo.jpg ...

The largest error of the known pixels; the coherence of the four strips around them with the middle, which is all that was
known, and with the whole photograph; the layout: how far, root mean square, the strips are from what was cut away, both reduced
by eight; and the seam: the mean step of colour across the border over that one pixel away from it, 1 where nothing shows.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor

from recipes.edit import Outpaint
from restore import Edit, closed_form, load_image, save_image
from restore.data.images import grid
from restore.evaluation.single_image import Judge
from restore.pipelines.editing import bounds, middle, on_canvas
from samplers import enlarge

FOLDER = Path("runs/outpainting")


@dataclass(frozen=True)
class Bench:
    photos: tyro.conf.Positional[tuple[Path, ...]]
    """Photographs; the longer side is reduced to 250 px."""
    share: float = 0.6
    """Of each side, in the middle, that is known."""
    seeds: int = 2
    """Images of each."""

    def __call__(self) -> None:
        coherence = "coherence with the known | with the photograph"
        columns = f"photograph | seed | s | error of the known, levels | {coherence} | layout | seam"
        print(f"{describe()}\n\n| {columns} |\n{'| --- ' * 8}|")
        for path in self.photos:
            photograph = load_image(path, 250)
            known = middle(photograph, self.share)
            pipeline = closed_form(known)
            size = (photograph.shape[1], photograph.shape[2])
            canvas, mask = on_canvas(known, size)
            shown = [photograph, canvas + (1 - mask)]
            for seed in range(self.seeds):
                before = time.perf_counter()
                edit = Edit(known=(canvas, mask), resample=Outpaint.resample)
                (made,) = pipeline.generate(size, seed=seed, edit=edit, progress=False)
                seconds = time.perf_counter() - before
                error = float(((made - canvas).abs() * mask).max()) * 127.5
                near, far = (fit(strips(made, mask), reference) for reference in (known, photograph))
                row = (
                    f"{seconds:.1f}",
                    f"{error:.2f}",
                    f"{near:.4f}",
                    f"{far:.4f}",
                    f"{layout(made, photograph, mask):.3f}",
                    f"{seam(made, mask):.2f}",
                )
                print(f"| {path.stem} | {seed} | {' | '.join(row)} |", flush=True)
                shown.append(made)
            save_image(grid(shown, 2 + self.seeds), FOLDER / f"{path.stem}.png")
        print(f"\npictures (the photograph, what is known, images) in {FOLDER}")


def strips(x: Tensor, mask: Tensor) -> list[Tensor]:
    """What is new of x (C, H, W): above, below, left and right of the known rectangle."""
    top, bottom, left, right = bounds(mask)
    return [x[:, :top], x[:, bottom:], x[:, top:bottom, :left], x[:, top:bottom, right:]]


def fit(parts: list[Tensor], reference: Tensor) -> float:
    """The coherence of the parts, together."""
    judge = Judge(reference, every=4)
    return sum(judge.coherence(x) * x.numel() for x in parts) / sum(x.numel() for x in parts)


def layout(x: Tensor, photograph: Tensor, mask: Tensor) -> float:
    """The root mean square difference of x and the photograph (C, H, W) where mask (1, H, W) is 0, both reduced by eight."""
    size = (x.shape[1] // 8, x.shape[2] // 8)
    new = enlarge(1 - mask[None], size)
    squares = enlarge((x - photograph)[None], size).square()
    return float((squares * new).sum() / (len(x) * new.sum())) ** 0.5


def seam(x: Tensor, mask: Tensor) -> float:
    """The mean step of colour across the border of the known rectangle, over that one pixel to either side of it."""
    top, bottom, left, right = bounds(mask)

    def steps(shift: int) -> Tensor:
        rows, columns = slice(top, bottom), slice(left, right)
        return torch.cat(
            [
                (x[:, top + shift, columns] - x[:, top + shift - 1, columns]).abs().flatten(),
                (x[:, bottom - shift, columns] - x[:, bottom - shift - 1, columns]).abs().flatten(),
                (x[:, rows, left + shift] - x[:, rows, left + shift - 1]).abs().flatten(),
                (x[:, rows, right - shift] - x[:, rows, right - shift - 1]).abs().flatten(),
            ]
        )

    return float(steps(0).mean() / ((steps(1).mean() + steps(-1).mean()) / 2))


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
