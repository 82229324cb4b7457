"""A photograph's right half, blurred and noised by Pillow and numpy, restored under the patches of its left half.

    python benchmarks/halves.py places/*.jpg --blur 1.6 --noise .02 --out made

Files are written, and read again, as a user's are. Beside it Richardson-Lucy (scikit-image) at its best of 5, 10, 20, 40 and 80
rounds, which flatters it. PSNR and SSIM against the half as it was; strips of what was seen, mean, spread, sample, truth.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image, ImageFilter
from skimage.restoration import richardson_lucy
from torch import Tensor

from degrade import GaussianBlur
from recipes.solve import shown
from restore import closed_form, load_image, save_image
from restore.data.images import grid
from restore.evaluation.metrics import psnr, ssim


@dataclass(frozen=True)
class Bench:
    photographs: tyro.conf.Positional[tuple[Path, ...]]
    blur: float = 1.6
    """Standard deviation, pixels."""
    noise: float = 0.02
    """Standard deviation, in the unit of [-1, 1]."""
    count: int = 4
    """Samples."""
    detail: int = 250
    """The longer side of a photograph, pixels."""
    out: Path = Path("runs/halves")
    """Folder for what is made."""

    def __call__(self) -> None:
        print(f"{describe()}\nblur of {self.blur:g} pixels, noise {self.noise:g}\n")
        print(f"| photograph | seen | Richardson-Lucy | a sample | mean of {self.count} | s |\n{'| --- ' * 6}|")
        for photograph in self.photographs:
            self.one(photograph)

    def one(self, photograph: Path) -> None:
        whole = load_image(photograph, self.detail)
        half = whole.shape[2] // 2
        home = self.out / photograph.stem
        truth = load_image(save_image(whole[:, :, half:], home / "truth.png"))
        left = save_image(whole[:, :, :half], home / "left.png")
        with Image.open(home / "truth.png") as picture:
            blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(self.blur)), float)
        noisy = blurred + np.random.default_rng(0).normal(0, self.noise * 127.5, blurred.shape)
        Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8)).save(home / "seen.png")
        seen = load_image(home / "seen.png")
        begun = time.perf_counter()
        options = {"noise": self.noise, "count": self.count, "progress": False}
        found = closed_form(left, self.detail).solve(seen, GaussianBlur(), self.blur / 8, **options)  # type: ignore[arg-type]
        seconds = time.perf_counter() - begun
        columns = (seen, self.classical(seen, truth), found.samples[0], found.mean)
        cells = " | ".join(f"{figure(x, truth, psnr):.2f} dB, {figure(x, truth, ssim):.3f}" for x in columns)
        print(f"| {photograph.stem} | {cells} | {seconds:.1f} |", flush=True)
        save_image(grid([seen, columns[1], found.mean, shown(found.deviation), found.samples[0], truth], 6), home / "strip.png")

    def classical(self, seen: Tensor, truth: Tensor) -> Tensor:
        room = np.arange(-8, 9)
        kernel = np.exp(-(room[:, None] ** 2 + room**2) / (2 * self.blur**2))
        wide = np.pad((seen.numpy() + 1) / 2, ((0, 0), (8, 8), (8, 8)), "reflect").clip(1e-6, 1)
        made = []
        for rounds in (5, 10, 20, 40, 80):
            restored = np.stack([richardson_lucy(c, kernel / kernel.sum(), rounds)[8:-8, 8:-8] for c in wide])
            made.append(2 * torch.from_numpy(restored).float() - 1)
        return max(made, key=lambda x: figure(x, truth, psnr))


def figure(x: Tensor, truth: Tensor, metric: object) -> float:
    return float(metric(x[None].clamp(-1, 1), truth[None]))  # type: ignore[operator]


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
