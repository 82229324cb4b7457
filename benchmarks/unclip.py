"""unCLIP beside the plain model on captioned digits: words by way of an embedding, or straight to the image.

    python benchmarks/unclip.py --seconds 480

The autoencoder, the prior and the decoder share the seconds (of the processor) in the ratio 1 : 1 : 2; the plain model, that of
text_to_image.py, is trained for all of them. What is made of test captions is judged; so are the test images as the
decoder makes them of their own embeddings, which is the best that a prior could do.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from captioned import reader, row

from models import Condition
from recipes import text_to_image
from recipes import unclip as recipe
from restore import Run, load_image, save_image, train
from restore.autoencoder import TrainedAutoencoder
from restore.data import bundled
from restore.data.embedded import embedded
from restore.data.images import grid, image_files
from restore.latents import Latents
from restore.pipelines.unclip import unclip
from restore.recipe import Recipe

TRIED = 10
"""Steps from which the seconds of a step are known."""


@dataclass(frozen=True)
class Bench:
    seconds: float = 480.0
    """Of the processor, for either."""
    count: int = 100
    """Captions of each kind."""
    steps: int = 20
    """Of each walk."""
    out: Path = Path("runs/unclip-benchmark")
    """Folder for the runs and the pictures."""

    def __call__(self) -> None:
        features = reader()
        assert features.classify is not None
        print(f"{describe()}\ndigits are read by {features.name}\n")
        self.trained("autoencoder", recipe.recipe("captioned", "autoencoder"), 0.25)
        space = Latents(TrainedAutoencoder(self.out / "autoencoder"), scale=0.0)
        prior = self.trained("prior", replace(recipe.recipe("captioned", "prior"), space=space), 0.25)
        decoding = recipe.recipe("captioned", "decoder")
        data = replace(decoding.data, embedding=space)  # type: ignore[type-var]
        decoder = self.trained("decoder", replace(decoding, data=data), 0.5)
        plain = self.trained("plain", text_to_image.recipe("captioned"), 1.0)
        print("\n| | digit | colour | place |\n| --- | --- | --- | --- |")
        for kind in ("seen", "unseen"):
            files = image_files(bundled.written("captioned") / "test" / kind)[: self.count]
            captions = [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]
            images = torch.stack([load_image(file) for file in files])
            walked = decoder.using(steps=self.steps)
            told = Condition(pooled=embedded(walked.data.embedding, images))  # type: ignore[attr-defined]
            made = {
                "of the images' own embeddings": walked.generate(count=len(files), condition=told, batch=50, progress=False),
                "unCLIP": unclip(prior, walked, captions, len(files), batch=50, progress=False),
                "plain": plain.using(steps=self.steps).generate(count=len(files), condition=captions, batch=50, progress=False),
            }
            for name, shown in made.items():
                print(row(f"{kind}: {name}", list(shown), captions, features.classify), flush=True)
                save_image(grid(list(shown[:32]), 8, at_least=64), self.out / f"{kind}-{name.split()[0]}.png")

    def trained(self, name: str, made: Recipe, share: float) -> Run:
        """A run of the recipe, of as many steps as its share of the seconds allows, by the pace of its first steps."""
        _, pace = self.timed(name, made, TRIED)
        run, pace = self.timed(name, made, round(share * self.seconds / pace))
        print(f"{name}: {run.step} steps, {pace * run.step:.0f} CPU seconds", flush=True)
        return run

    def timed(self, name: str, made: Recipe, steps: int) -> tuple[Run, float]:
        """A run of so many steps, and the processor's seconds for each."""
        folder, since = self.out / name, time.process_time()
        shutil.rmtree(folder, ignore_errors=True)
        plan = replace(made.training.stretched(steps).decided, preview_every=10**8)
        run = train(replace(made, training=plan), folder, "cpu")
        return run, (time.process_time() - since) / steps


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
