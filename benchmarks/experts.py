"""Experts by severity (eDiff-I) beside one network that is trained as long on the same severities, on captioned digits.

    python recipes/text_to_image.py train captioned --out runs/captioned
    python benchmarks/experts.py runs/captioned

From one run, trained for so many steps more: one network, on severities as the run's recipe draws them; one network, on all
alike; and two, on those below and above an edge, with steps in proportion, so that the two together look at all severities
alike, too. What they do better than the second is theirs, what that does better than the first is the draw's. Compared by the
objective on test images, over the severities of each expert, and by what is made of captions.
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

from degrade import seeds
from models import Condition
from recipes.experts import recipe
from restore import Run, load_image, open_run, save_image, train
from restore.data import bundled
from restore.data.images import grid, image_files
from restore.pipelines.experts import experts
from restore.pipelines.network import NetworkPipeline


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    edge: float = 0.5
    """Between the two experts."""
    further: int = 400
    """Steps of one network, and of the two experts together."""
    count: int = 100
    """Captions of each kind, and test images for the objective."""
    guidance: float = 3.0
    """Weight of the captions."""
    steps: int = 20
    """Of the walk."""
    out: Path = Path("runs/experts-benchmark")
    """Folder for the runs and the pictures."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu")
        assert isinstance(run, Run)
        features = reader()
        assert features.classify is not None
        low = round(self.edge * self.further)
        parts = {
            "one": (0.0, 1.0, self.further),
            "alike": (0.0, 1.0, self.further),
            "low": (0.0, self.edge, low),
            "high": (self.edge, 1.0, self.further - low),
        }
        trained, seconds = {}, {}
        for name, part in parts.items():
            shutil.rmtree(self.out / name, ignore_errors=True)
            since, own = time.process_time(), recipe(run.recipe, *part)
            if name == "one":
                own = replace(own, training=replace(own.training, times=run.recipe.training.times))
            trained[name] = train(own, self.out / name, "cpu", start=self.run)
            seconds[name] = time.process_time() - since
        both = experts([trained["low"], trained["high"]], [self.edge])
        print(f"{describe()}\nCPU seconds: {', '.join(f'{name} {value:.0f}' for name, value in seconds.items())}\n")
        files = {kind: image_files(bundled.written("captioned") / "test" / kind)[: self.count] for kind in ("seen", "unseen")}
        lines = {
            kind: [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in some]
            for kind, some in files.items()
        }
        x0, told = torch.stack([load_image(file) for file in files["seen"]]), Condition.written(*lines["seen"])
        print(f"| | objective below {self.edge:g} | above | seen: digit | colour | place | unseen: digit | colour | place |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        compared = {
            "the run": run,
            "one network": trained["one"],
            "one network, severities alike": trained["alike"],
            "two experts": both,
        }
        for name, one in compared.items():
            losses = [self.objective(run, one, x0, told, *ends) for ends in ((0.0, self.edge), (self.edge, 1.0))]
            figures = ""
            for kind, captions in lines.items():
                walked = one.using(steps=self.steps, guidance=self.guidance)
                made = walked.generate(count=len(captions), condition=captions, batch=50, progress=False)
                figures += row("", list(made), captions, features.classify).removeprefix("|  ").removesuffix("|")
                save_image(grid(list(made[:32]), 8, at_least=64), self.out / f"{name}-{kind}.png")
            print(f"| {name} | {losses[0]:.4f} | {losses[1]:.4f} {figures}|", flush=True)

    @staticmethod
    def objective(run: Run, one: NetworkPipeline, x0: torch.Tensor, told: Condition, low: float, high: float) -> float:
        """The run's objective of test images, each at a severity of its own, evenly spread from low to high."""
        t = low + (high - low) * (torch.arange(len(x0)) + 0.5) / len(x0)
        latent = one.degradation.draw(x0, seeds(10_000, len(x0)))
        with torch.no_grad():
            return float(run.objective(one.restorer.given(told), x0, t, latent).mean())


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
