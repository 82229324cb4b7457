"""Pictures that were blurred by another program (Pillow), restored by the command line from a run that was trained on blur.

    python recipes/deblurring.py train photographs degradation:gaussian-blur --degradation.sigma-max 3 --out runs/blur
    python benchmarks/blurred_outside.py runs/blur runs/data/photographs/test/*.png

Prints the PSNR of each blurred picture and of what `restore` made of it from each severity, and where the strip is.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

from dataclasses import dataclass  # isort: skip
from pathlib import Path

import tyro
from PIL import Image, ImageFilter

from recipes.command.restoring import Restore
from restore import load_image
from restore.evaluation.metrics import psnr


@dataclass(frozen=True)
class BlurredOutside:
    run: tyro.conf.Positional[Path]
    """Of a blur."""
    photos: tyro.conf.Positional[tuple[Path, ...]]
    """Clean photographs that it was not trained on."""
    radius: float = 1.5
    """Of Pillow's Gaussian blur: its standard deviation, pixels."""
    longer: int = 256
    """The longer side is reduced to this, pixels."""
    severities: tuple[float, ...] = (0.2, 0.35, 0.5, 0.65, 0.8)

    def __call__(self) -> None:
        print(describe())
        for photo in self.photos:
            folder = Path("runs/blurred-outside") / photo.stem
            folder.mkdir(parents=True, exist_ok=True)
            clean = Image.open(photo).convert("RGB")
            clean.thumbnail((self.longer, self.longer), Image.Resampling.LANCZOS)
            clean.save(folder / "clean.png")
            clean.filter(ImageFilter.GaussianBlur(self.radius)).save(folder / "blurred.png")
            Restore(self.run, folder / "blurred.png", severities=self.severities, side=self.longer, out=folder)()
            truth = load_image(folder / "clean.png")[None]
            names = ["blurred.png", *(f"severity-{severity:g}.png" for severity in self.severities)]
            figures = [f"{name} {float(psnr(load_image(folder / name)[None], truth)):.2f} dB" for name in names]
            print(f"{photo.stem}: {', '.join(figures)}")


if __name__ == "__main__":
    tyro.cli(BlurredOutside, description=__doc__)()
