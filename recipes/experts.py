"""Experts by severity: copies of a run's network, each trained further on its own severities, used as one.

Balaji et al. 2022, "eDiff-I: Text-to-Image Diffusion Models with an Ensemble of Expert Denoisers", arXiv 2211.01324.

    python recipes/text_to_image.py                                            # writes runs/captioned: what they share
    python recipes/experts.py train runs/captioned --edges .5 --minutes 4      # writes runs/captioned-experts/0 and 1
    python recipes/experts.py sample runs/captioned-experts --prompt "a green five left of a red two"

Any run can be shared, of words or without. Below the first edge expert 0 restores, above the last one the last. Each is a run
of its own. After Ctrl-C, `train` with the same --out goes on with them. What it is worth: docs/tuning.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.limits import COUNT, GUIDANCE, check_options
from recipes.command.outputs import check_folder, check_outputs, first_free
from recipes.command.pasteable import given, pasteable, program
from recipes.command.source import name_of, worded
from recipes.command.walk import Walk
from restore.own_types import types_in
from restore.pipelines.experts import EDGES, check_edges, open_experts, stored_edges
from restore.recipe import Recipe
from restore.training.budget import Budget
from restore.training.times import Interval


def recipe(shared: Recipe, low: float, high: float, steps: int | None = None) -> Recipe:
    """A run's recipe for the severities in (low, high] alone, which begins at its weights: half its rate, half its steps."""
    training = shared.training.stretched(steps or max(1, shared.training.steps // 2))
    return replace(shared, training=replace(training, times=Interval(low, high), rate=training.rate / 2))


@dataclass(frozen=True)
class Train:
    """Train an expert for each interval of severities, from the weights of a run."""

    run: Positional[Path]
    """Folder of the run that they begin with."""
    _: KW_ONLY
    edges: tuple[float, ...] = (0.5,)
    """Severities between two experts, rising."""
    expert_steps: int | None = None
    """Steps of each (default: half of the run's)."""
    minutes: float | None = None
    """Train all of them together for so long, in place of so many steps."""
    out: Path | None = None
    """Folder of the experts (default: below runs/, named after the run)."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""
    device: str | None = None
    """Where it runs, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_edges(self.edges)
        check_options(self, expert_steps=(1, 10**8))
        if self.minutes is not None:
            Budget(self.minutes)

    def __call__(self) -> None:
        from restore.run import read_recipe
        from restore.storage.checkpoint import last_step
        from restore.training.session import resume, train

        folder = check_folder(self.out or first_free(Path("runs") / f"{name_of(self.run)}-experts"))
        types = types_in(self.types)
        shared = read_recipe(self.run, types)
        self.begin(folder)
        each = None if self.minutes is None else self.minutes / (len(self.edges) + 1)
        for number, (low, high) in enumerate(pairwise((0.0, *self.edges, 1.0))):
            print(f"expert {number}: severities {low:g} to {high:g}")
            own = folder / str(number)
            if last_step(own) is None:
                run = train(recipe(shared, low, high, self.expert_steps), own, self.device, each, start=self.run)
            else:
                run = resume(own, self.device, types)
            if run.step < run.recipe.training.steps:
                print(f"stopped and saved at step {run.step} of {run.recipe.training.steps}; go on with: {self.again(folder)}")
                return
        print(f"sample them: {pasteable('sample', folder)}")

    def again(self, folder: Path) -> str:
        """The command that goes on in `folder`."""
        options = given(expert_steps=self.expert_steps, minutes=self.minutes, device=self.device)
        return pasteable("train", self.run, "--edges", *map(str, self.edges), *options, "--out", folder)

    def begin(self, folder: Path) -> None:
        """Writes what lies between the experts into `folder`. Raises ValueError where that is something else already."""
        import json

        from degrade.files import atomic_write

        if (folder / EDGES).exists():
            if stored_edges(folder) != self.edges:
                known = " ".join(map(str, stored_edges(folder)))
                raise ValueError(f"{folder} holds experts with --edges {known}: name those to go on, or another --out.")
        else:
            with atomic_write(folder / EDGES) as part:
                part.write_text(json.dumps({"edges": self.edges}) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Sample(Walk):
    """New images by experts; RUN is the folder that `train` wrote."""

    count: int = 4
    """Images."""
    prompt: str | None = None
    """Words that the images are to show, of a model that knows words."""
    negative: str | None = None
    """Words that guidance leads away from."""
    guidance: float | None = None
    """Weight of the class, or of the words, 1 as learned (default: the recipe's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT, guidance=GUIDANCE)

    def __call__(self) -> None:
        from samplers import NAMED

        names = [f"seed-{self.seed + i}" for i in range(self.count)]
        out = check_outputs(self.out, self.run / "samples", names)
        both = open_experts(self.run, self.device, types_in(self.types))
        both = both.using(steps=self.steps, sampler=NAMED[self.sampler] if self.sampler else None, guidance=self.guidance)
        for seed, image in worded(both, self.prompt, self.negative).stream(count=self.count, seed=self.seed):
            out.save(f"seed-{seed}", image, {"run": str(self.run), "seed": str(seed)})
        print(out.said())


Command = Union[
    Annotated[Train, tyro.conf.subcommand("train")],
    Annotated[Sample, tyro.conf.subcommand("sample")],
]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Command, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
