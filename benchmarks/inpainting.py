"""How well a trained run fills holes, inside the hole: against leaving it grey, and against scikit-image's biharmonic fill.

    python recipes/inpainting.py train photographs --out runs/holes
    python benchmarks/inpainting.py runs/holes runs/data/photographs/test --images 64

Crops that were not trained on are degraded at each severity and restored. The error is weighted by what the hole took: PSNR is
10 log10(1 / mean w (x - x0)^2) in [0, 1], w = 1 - m of the mask, over all crops together. What is degraded is rounded to 8
bits, as a file is. Grey and biharmonic are given the mask: where half of a pixel or more is left its colour is had exactly, and
the others are filled. "Undone" is given it too: biharmonic, where the operator cannot undo. Direct and walk find it:
"found" is the share of crops where that is right to the pixel.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

from dataclasses import dataclass  # isort: skip
from pathlib import Path

import numpy as np
import torch
import tyro
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from degrade import GaussianMask, seeds
from restore import open_run, save_image
from restore.data.images import grid, to_bytes
from restore.evaluation.features import squares

PICTURE = Path("runs/inpainting.png")
NAMES = ("degraded", "grey", "biharmonic", "undone", "direct", "walk")


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/inpainting.py."""
    test: tyro.conf.Positional[Path]
    """Folder of images that were not trained on."""
    images: int = 64
    """Crops."""
    severities: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """How far to degrade."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu")
        degradation = run.degradation
        if not isinstance(degradation, GaussianMask):
            raise ValueError(f"{self.run} was not trained to fill holes.")
        clean = torch.stack(list(squares(run.data, self.test, self.images)))
        print(f"{describe()}\n\n| severity | hole | found | {' | '.join(NAMES)} |\n{'| --- ' * (3 + len(NAMES))}|")
        strips = []
        for severity in self.severities:
            t = torch.full((len(clean),), severity)
            latent = degradation.draw(clean, seeds(0, len(clean)))
            left = degradation.mask(clean, t, latent)
            degraded = to_bytes(degradation(clean, t, latent)).float() / 127.5 - 1
            hole = left < 0.5
            known = torch.where(hole, 0.0, (degraded - (1 - left) * latent.fill) / left.clamp(min=0.5))
            filled = torch.stack([biharmonic(x, m[0]) for x, m in zip(known, hole, strict=True)])
            undone = torch.stack([biharmonic(x, k[0] < 1) for x, k in zip(*degradation.undo(degraded, t, latent), strict=True)])
            found = float((degradation.read(degraded, t).yx == latent.yx).all(1).float().mean())
            direct, walk = run.direct(degraded, severity), run.restore(degraded, severity, progress=False)
            figures = [f"{inside(x, clean, 1 - left):.2f}" for x in (degraded, known, filled, undone, direct, walk)]
            pixels = f"{float(hole.float().sum((1, 2, 3)).mean()):.0f}"
            print(f"| {severity:g} | {pixels} | {found:.0%} | {' | '.join(figures)} |", flush=True)
            for i in range(0, len(clean), max(1, len(clean) // 4)):
                strips += [clean[i], *(x[i] for x in (degraded, undone, direct, walk))]
        print(f"\n{save_image(grid(strips, 10), PICTURE)}: clean, {', '.join(NAMES[i] for i in (0, 3, 4, 5))}")


def inside(x: Tensor, clean: Tensor, weight: Tensor) -> float:
    """PSNR, dB, weighted by what the hole took."""
    error = weight * ((x.clamp(-1, 1) - clean) / 2).square()
    return float(-10 * torch.log10(error.mean(1).sum() / weight.sum()))


def biharmonic(x: Tensor, hole: Tensor) -> Tensor:
    """x (C, H, W) with its hole (H, W) filled smoothly."""
    if not bool(hole.any()):
        return x
    filled = inpaint_biharmonic(x.permute(1, 2, 0).double().numpy(), hole.numpy(), channel_axis=-1)
    return torch.from_numpy(np.asarray(filled)).permute(2, 0, 1).to(x).clamp(-1, 1)


if __name__ == "__main__":
    tyro.cli(Bench)()
