"""SDEdit, harmonisation and variations over start severities, on inputs that are made here: grids to look at.

    python benchmarks/editing.py scene.png object.png

Strokes: the scene as a few flat colours in large squares. Paste: an ellipse from the middle of the second picture, in the
first. Without training; the grids lie in runs/editing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import tyro
from machine import describe  # first: finds the project's packages
from torch import Tensor
from tyro.conf import Positional

from recipes.edit import Harmonise, SDEdit, Variations
from restore import load_image, save_image

FOLDER = Path("runs/editing")


def strokes(scene: Tensor, square: int = 16, levels: int = 5) -> Tensor:
    """The scene (C, H, W) in squares of `square` pixels and `levels` values a channel."""
    small = torch.nn.functional.interpolate(scene[None], scale_factor=1 / square, mode="area")
    flat = ((small + 1) / 2 * (levels - 1)).round() / (levels - 1) * 2 - 1
    return torch.nn.functional.interpolate(flat, scene.shape[-2:], mode="nearest")[0]


def pasted(scene: Tensor, thing: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of `thing`, an ellipse a third as large as the scene, at its centre; and the mask (1, H, W)."""
    height, width = scene.shape[-2:]
    other = torch.nn.functional.interpolate(thing[None], (height, width), mode="bicubic", antialias=True)[0].clamp(-1, 1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    mask = (((x / 0.3) ** 2 + (y / 0.35) ** 2) < 1)[None].float()
    return torch.lerp(scene, other, mask), mask


def main(scene: Positional[Path], thing: Positional[Path], seed: int = 0) -> None:
    """Grids of both, over severities."""
    print(describe())
    picture = load_image(scene, 250)
    severities = (0.2, 0.35, 0.5, 0.65, 0.8)
    save_image(strokes(picture), FOLDER / "strokes.png")
    composite, mask = pasted(picture, load_image(thing, 250))
    save_image(composite, FOLDER / "paste.png")
    save_image(2 * mask - 1, FOLDER / "mask.png")
    common: dict[str, Any] = {"count": 2, "seed": seed, "severities": severities}
    SDEdit(scene, image=FOLDER / "strokes.png", out=FOLDER / "sdedit", **common)()
    Harmonise(scene, image=FOLDER / "paste.png", mask=FOLDER / "mask.png", out=FOLDER / "harmonise", **common)()
    Variations(scene, out=FOLDER / "variations", **common)()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
