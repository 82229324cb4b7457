"""Flow matching against v-prediction at equal seconds of training: Frechet distance over steps and rules.

    python benchmarks/flow_matching.py digits --minutes 4
    python benchmarks/flow_matching.py digits --published flow_matching/      # a checkout of facebookresearch/flow_matching

With `--published` the path x_t and its velocity are compared with that code's first: the largest difference.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import sys  # isort: skip
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from degrade import GaussianNoise, OptimalTransport, RectifiedFlow
from degrade.severity import per_sample
from recipes import flow_matching, simple_diffusion
from restore import Recipe, Run, train
from restore.data import bundled
from restore.evaluation.features import frechet_distance, of_classifier, squares
from restore.run import open_trained
from samplers import DDIM, DDPM, Euler, Heun, Midpoint, Sampler

WALKS: dict[str, tuple[tuple[Sampler, int], ...]] = {
    "v-prediction": ((DDPM(), 50), (DDIM(), 50), (DDIM(), 25), (DDIM(), 10)),
    "flow matching": ((Midpoint(), 25), (Heun(), 25), (Euler(), 50), (Euler(), 25), (Euler(), 10), (Midpoint(), 5)),
}
"""Rules and steps; Midpoint and Heun ask the network twice a step."""
WALKS["flow matching, optimal transport"] = WALKS["flow matching"]


@dataclass(frozen=True)
class Bench:
    images: tyro.conf.Positional[Path] = Path("digits")
    """A folder, or the name of a set."""
    published: Path | None = None
    """Checkout of facebookresearch/flow_matching."""
    minutes: float = 4
    """Of each training; what was trained before is opened again."""
    count: int = 360
    """Images that are made, and compared with as many that were not trained on."""
    guidance: float = 1.0
    """Weight of the class."""
    out: Path = Path("runs/flow-matching")
    """Folder for the runs."""

    def __call__(self) -> None:
        if self.published:
            compare(self.published)
        runs = {name: self.trained(name, recipe) for name, recipe in self.recipes()}
        data, test = runs["v-prediction"].data, bundled.located(self.images, "test")
        clean = torch.stack(list(squares(data, test, self.count)))
        features = of_classifier(data, bundled.located(self.images), test)
        reference = features.extract(clean)
        print(f"{describe()}\n{len(clean)} images; Frechet distance: {features.name}\n")
        print(f"| trained by | steps of training | sampler | steps | Frechet distance | s |\n{'| --- ' * 6}|")
        for name, run in runs.items():
            for sampler, steps in WALKS[name]:
                begun = time.perf_counter()
                walked = run.using(sampler=sampler, steps=steps, guidance=self.guidance)
                x = walked.generate(count=len(clean), batch=60, progress=False)
                distance, seconds = frechet_distance(features.extract(x), reference), time.perf_counter() - begun
                print(f"| {name} | {run.step} | {sampler} | {steps} | {distance:.2f} | {seconds:.1f} |", flush=True)

    def recipes(self) -> Iterator[tuple[str, Recipe]]:
        flow = flow_matching.recipe(self.images)
        yield "v-prediction", simple_diffusion.recipe(self.images)
        yield "flow matching", flow
        yield "flow matching, optimal transport", replace(flow, coupling=OptimalTransport())

    def trained(self, name: str, recipe: Recipe) -> Run:
        folder = self.out / name.replace(", ", "-").replace(" ", "-")
        if not folder.exists():
            train(recipe, folder, minutes=self.minutes)
        return open_trained(folder, "cpu")


def compare(checkout: Path) -> None:
    """The published path runs from noise at 0 to images at 1."""
    sys.path.insert(0, str(checkout))
    from flow_matching.path import CondOTProbPath

    x0, z = (torch.randn(8, 3, 9, 7, dtype=torch.float64) for _ in range(2))
    t = torch.rand(8, dtype=torch.float64).clamp(0.01, 0.99)
    theirs, ours = CondOTProbPath().sample(t=1 - t, x_0=z, x_1=x0), GaussianNoise(RectifiedFlow())
    slopes = [per_sample(slope, x0) for slope in ours.derivatives(t)]
    path = (ours(x0, t, (z,)) - theirs.x_t).abs().max()  # type: ignore[arg-type]
    velocity = (slopes[0] * x0 + slopes[1] * z + theirs.dx_t).abs().max()
    print(f"largest difference to the published path {path:.1e}, to its velocity {velocity:.1e}\n")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
