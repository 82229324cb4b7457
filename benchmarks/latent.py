"""Latent against pixel diffusion at equal seconds of training, and a cascade from a quarter of the side against bicubic.

    python benchmarks/latent.py photographs --seconds 600
    python benchmarks/latent.py folder/ --size 64 --seconds 1200 --count 256

Seconds are the processor's, of all threads (`time.process_time`), so that a busy machine takes as many steps. Latent diffusion
shares its seconds with its autoencoder, a cascade's stages share theirs, half each. What is reconstructed and enlarged is
compared with test crops, what is generated with training crops. What was trained before is opened again.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor

from recipes import autoencoder, cascade, latent_diffusion, simple_diffusion
from restore import Recipe, Run, open_run, save_image, train
from restore.autoencoder import TrainedAutoencoder
from restore.data import bundled
from restore.data.enlarging import reduced
from restore.data.images import grid
from restore.evaluation.features import frechet_distance, of_classifier, squares
from restore.evaluation.metrics import psnr
from restore.latents import Latents
from restore.pipelines.cascade import enlarge


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
    """Of the walk back, where images are generated; half as many where they are enlarged."""
    classifier: int = 600
    """Steps of training of the classifier whose features are compared."""
    out: Path = Path("runs/latent")
    """Folder for the runs, and for grids."""

    def __call__(self) -> None:
        pixel = self.trained("pixel", self.of(simple_diffusion.recipe(self.images)), self.seconds)
        coder = self.trained("autoencoder", self.of(autoencoder.recipe(self.images)), self.seconds / 2)
        inside = Latents(TrainedAutoencoder(coder.folder), scale=0.0)
        recipe = replace(self.of(latent_diffusion.recipe(self.images)), space=inside)
        latent = self.trained("latent", recipe, self.seconds / 2)
        base = self.of(simple_diffusion.recipe(self.images))
        base = replace(base, data=replace(base.data, size=self.size // 4, reduce=0))  # type: ignore[type-var]
        small = self.trained("small", base, self.seconds / 2)
        large = self.trained("large", self.of(cascade.recipe(self.images)), self.seconds / 2)

        learned = bundled.located(self.images)
        test = bundled.test_images(learned) or learned
        seen, unseen = (torch.stack(list(squares(pixel.data, folder, self.count))) for folder in (learned, test))
        features = of_classifier(pixel.data, learned, test, self.classifier)

        def distance(x: Tensor, like: Tensor) -> float:
            return frechet_distance(features.extract(x), features.extract(like))

        print(f"{describe()}\n{self.count} images of {self.size} px; Frechet distance: {features.name}\n")
        print("| what | against | PSNR, dB | Frechet distance | s an image |\n| --- | --- | --- | --- | --- |")

        def row(name: str, make: Callable[[], Tensor], like: Tensor, compared: bool) -> Tensor:
            begun = time.process_time()
            x = make()
            took = (time.process_time() - begun) / len(x)
            error = f"{float(psnr(x, like).mean()):.2f}" if compared else "-"
            against = "test crops" if like is unseen else "training crops"
            print(f"| {name} | {against} | {error} | {distance(x, like):.2f} | {took:.3f} |", flush=True)
            save_image(grid(list(x[:16]), 8, at_least=64), self.out / f"{name.split(',')[0].replace(' ', '-')}.png")
            return x

        def drawn(run: Run) -> Tensor:
            return run.using(steps=self.steps).generate(count=self.count, batch=32, progress=False)

        def enlarged(x: Tensor) -> Tensor:
            return enlarge(large.using(steps=max(1, self.steps // 2)), x, batch=32, progress=False)

        def bicubic(x: Tensor) -> Tensor:
            return torch.nn.functional.interpolate(x, scale_factor=4, mode="bicubic", align_corners=False).clamp(-1, 1)

        coarse = reduced(unseen, self.size // 4)
        row(
            "training crops again",
            lambda: torch.stack(list(squares(pixel.data, learned, 2 * self.count)))[self.count :],
            seen,
            False,
        )
        row(f"autoencoder, {coder.step} steps", lambda: coder.direct(unseen, 1.0), unseen, True)
        row(f"pixel, {pixel.step} steps", lambda: drawn(pixel), seen, False)
        row(f"latent, {coder.step} + {latent.step} steps", lambda: drawn(latent), seen, False)
        row("bicubic, 4 times as large", lambda: bicubic(coarse), unseen, True)
        row(f"cascade enlarging, {large.step} steps", lambda: enlarged(coarse), unseen, True)
        row(f"both stages, {small.step} + {large.step} steps", lambda: enlarged(drawn(small)), seen, False)
        save_image(grid(list(unseen[:16]), 8, at_least=64), self.out / "test-crops.png")

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
        return open_run(folder, "cpu")


def step_seconds(recipe: Recipe) -> float:
    """Processor seconds of a training step, the mean of five after one that is not counted."""
    located = replace(recipe, images=bundled.located(recipe.images)).fitted("cpu")
    batches, trainer = located.open("cpu")[0], located.trainer("cpu")
    trainer.train_step(batches)
    before = time.process_time()
    for _ in range(5):
        trainer.train_step(batches)
    return (time.process_time() - before) / 5


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
