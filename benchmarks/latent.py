"""Latent against pixel diffusion at equal seconds of training, and a cascade from a quarter of the side against bicubic.

    python benchmarks/latent.py photographs --seconds 600
    python benchmarks/latent.py folder/ --size 64 --seconds 1200 --count 256

Seconds are the processor's, of all threads (`time.process_time`), so that a busy machine takes as many steps. Latent diffusion
shares its seconds with its autoencoder, a cascade's stages share theirs, half each. What is reconstructed and enlarged is
compared with test crops, what is generated with training crops. What was trained before is opened again.

A sample of all pictures that a small one may be of has twice the squared error of their mean, 3 dB less than that: the row "in
one call" has the mean, which bicubic enlargement is to be compared with in PSNR. Sharpness is what the pictures have beyond
averages of 3 x 3 pixels, its mean square against the crops'.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor

from recipes import autoencoder, cascade, latent_diffusion, simple_diffusion
from restore import Recipe, Run, save_image, train
from restore.autoencoder import TrainedAutoencoder
from restore.data import bundled
from restore.data.enlarging import reduced
from restore.data.images import grid
from restore.evaluation.features import frechet_distance, of_classifier, squares
from restore.evaluation.metrics import psnr
from restore.latents import Latents
from restore.machine.allocator import keep_freed_memory
from restore.pipelines.cascade import enlarge, told
from restore.run import open_trained


@dataclass(frozen=True)
class Bench:
    images: tyro.conf.Positional[Path] = Path("photographs")
    """A folder, with `test` beside it if that is a folder called `train`; or the name of a set."""
    seconds: float = 600
    """Of each training."""
    count: int = 128
    """Images that are compared."""
    size: int = 64
    """Their side, pixels."""
    steps: int = 50
    """Of the walk back, where images are generated."""
    parts: tuple[Literal["latent", "cascade"], ...] = ("latent", "cascade")
    """What is trained and compared."""
    classifier: int = 600
    """Steps of training of the classifier whose features are compared."""
    out: Path = Path("runs/latent")
    """Folder for the runs, and for grids."""

    def __call__(self) -> None:
        learned = bundled.located(self.images)
        test = bundled.test_images(learned) or learned
        data = self.of(simple_diffusion.recipe(self.images)).data
        seen, unseen = (torch.stack(list(squares(data, folder, self.count))) for folder in (learned, test))
        features = of_classifier(data, learned, test, self.classifier)
        print(f"{describe()}\n{self.count} images of {self.size} px; Frechet distance: {features.name}\n")
        print(
            "| what | against | PSNR, dB | Frechet distance | sharpness | s an image |\n| --- | --- | --- | --- | --- | --- |"
        )

        def row(name: str, make: Callable[[], Tensor], like: Tensor, compared: bool = False) -> None:
            begun = time.process_time()
            x = make()
            took = (time.process_time() - begun) / len(x)
            error = f"{float(psnr(x, like).mean()):.2f}" if compared else "-"
            against = "test crops" if like is unseen else "training crops"
            distance = frechet_distance(features.extract(x), features.extract(like))
            print(
                f"| {name} | {against} | {error} | {distance:.2f} | {sharpness(x) / sharpness(like):.2f} | {took:.3f} |",
                flush=True,
            )
            save_image(grid(list(x[:16]), 8, at_least=64), self.out / f"{name.split(',')[0].replace(' ', '-')}.png")

        save_image(grid(list(unseen[:16]), 8, at_least=64), self.out / "test-crops.png")
        row("training crops again", lambda: torch.stack(list(squares(data, learned, 2 * self.count)))[self.count :], seen)
        if "latent" in self.parts:
            self.latent(row, seen, unseen)
        if "cascade" in self.parts:
            self.cascade(row, seen, unseen)

    def latent(self, row: Callable[..., None], seen: Tensor, unseen: Tensor) -> None:
        pixel = self.trained("pixel", self.of(simple_diffusion.recipe(self.images)), self.seconds)
        coder = self.trained("autoencoder", self.of(autoencoder.recipe(self.images)), self.seconds / 2)
        inside = Latents(TrainedAutoencoder(coder.folder), scale=0.0)
        recipe = replace(self.of(latent_diffusion.recipe(self.images)), space=inside)
        latent = self.trained("latent", recipe, self.seconds / 2)
        row(f"autoencoder, {coder.step} steps", lambda: coder.direct(unseen, 1.0), unseen, True)
        row(f"pixel, {pixel.step} steps", lambda: self.drawn(pixel), seen)
        row(f"latent, {coder.step} + {latent.step} steps", lambda: self.drawn(latent), seen)

    def cascade(self, row: Callable[..., None], seen: Tensor, unseen: Tensor) -> None:
        base = self.of(simple_diffusion.recipe(self.images))
        base = replace(base, data=replace(base.data, size=self.size // 4, reduce=0))  # type: ignore[type-var]
        small = self.trained("small", base, self.seconds / 2)
        large = self.trained("large", self.of(cascade.recipe(self.images)), self.seconds / 2)
        coarse = reduced(unseen, self.size // 4)

        def bicubic() -> Tensor:
            return torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic", align_corners=False).clamp(-1, 1)

        def mean() -> Tensor:
            start = torch.randn(unseen.shape, generator=torch.Generator().manual_seed(0))
            return large.direct(start, 1.0, condition=told(large, coarse, 0.0))

        row("bicubic, 4 times as large", bicubic, unseen, True)
        row(f"cascade in one call, {large.step} steps", mean, unseen, True)
        row("cascade enlarging", lambda: enlarge(large, coarse, 0.0, batch=32, progress=False), unseen, True)
        row(
            f"both stages, {small.step} + {large.step} steps",
            lambda: enlarge(large, self.drawn(small), batch=32, progress=False),
            seen,
        )

    def drawn(self, run: Run) -> Tensor:
        return run.using(steps=self.steps).generate(count=self.count, batch=32, progress=False)

    def of(self, recipe: Recipe) -> Recipe:
        """The same for images of `size`, with nothing to be found out by trials."""
        data = replace(recipe.data, size=self.size)  # type: ignore[type-var]
        training = replace(recipe.training, precision="float32", layout="contiguous", preview_every=10**8, seed=0)
        return replace(recipe, data=data, training=training)

    def trained(self, name: str, recipe: Recipe, seconds: float) -> Run:
        folder = self.out / name
        if not folder.exists():
            steps = max(10, int(seconds / step_seconds(recipe)))
            stretched = replace(recipe.training.stretched(steps), preview_every=10**8, save_every=steps)
            train(replace(recipe, training=stretched), folder, "cpu")
        return open_trained(folder, "cpu")


def sharpness(x: Tensor) -> float:
    """The mean square of what images have beyond their averages over 3 x 3 pixels."""
    return float((x - torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).square().mean())


def step_seconds(recipe: Recipe) -> float:
    """Processor seconds of a training step, the mean of ten after three that are not counted."""
    located = replace(recipe, images=bundled.located(recipe.images)).fitted("cpu")
    batches, trainer = located.open("cpu")[0], located.trainer("cpu")
    keep_freed_memory()
    for _ in range(3):
        trainer.train_step(batches)
    before = time.process_time()
    for _ in range(10):
        trainer.train_step(batches)
    return (time.process_time() - before) / 10


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
