"""What the commands that walk back have in common, and `sample`."""

from __future__ import annotations

import sys
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from tyro.conf import Positional

from degrade.files import subfolder
from recipes.command.limits import COUNT, GUIDANCE, NOISE, SEED, STEPS, check_options
from recipes.command.outputs import check_outputs
from recipes.command.pasteable import pasteable
from recipes.command.size import OptionalSize
from recipes.command.source import results, worded
from restore.data.enlarging import Enlarging
from restore.data.instructions import Instructions
from restore.machine.processes import here
from restore.machine.terminal import counted
from restore.own_types import types_in
from samplers import NAMED

if TYPE_CHECKING:
    from restore.pipelines.pipeline import Pipeline
    from restore.pipelines.published import Published
    from restore.run import Run

    SamplerName = str
else:
    SamplerName = Literal[tuple(NAMED)]


P = TypeVar("P", bound="Pipeline")


@dataclass(frozen=True)
class WithRun:
    """What commands that use a run have in common."""

    run: Positional[Path]
    """Folder of the run, such as runs/photo; or hf://user/run."""
    _: KW_ONLY
    steps: int | None = None
    """Steps of the walk back (default: the recipe's)."""
    seed: int = 0
    """Everything random derives from it; of several images, image i has `seed + i`."""
    out: Path | None = None
    """Where the result goes (default: into the folder of the run): a folder, or of one image also a file."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""
    device: str | None = None
    """Where it runs, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_options(self, steps=STEPS, seed=SEED)

    def opened(self) -> Run | Published:
        """The run, set to sample as the options say."""
        from restore.run import open_run

        return self.walking(open_run(self.run, self.device, types_in(self.types)))

    def walking(self, pipeline: P) -> P:
        """The pipeline, set to walk as the options say."""
        return pipeline.using(steps=self.steps)


@dataclass(frozen=True)
class Walk(WithRun):
    _: KW_ONLY
    sampler: SamplerName | None = None
    """Step rule (default: the recipe's)."""

    def walking(self, pipeline: P) -> P:
        return super().walking(pipeline).using(sampler=NAMED[self.sampler] if self.sampler else None)


@dataclass(frozen=True)
class Sample(Walk):
    """New images from a run, of any size, as PNGs in a folder."""

    size: OptionalSize = None
    """Height x width in pixels, such as 128x384 (default: the training image's)."""
    count: int = 4
    """Images."""
    noise: float | None = None
    """Standard deviation of a thumbnail prior's noise (default: the run's; 0 leaves symmetric images symmetric)."""
    label: str | None = None
    """Class of the images, "" for none in particular, if the run knows classes (default: each in turn)."""
    prompt: str | None = None
    """Words that the images are to show, of a model that knows words."""
    negative: str | None = None
    """Words that guidance leads away from."""
    guidance: float | None = None
    """Weight of the class, or of the words, 1 as learned (default: the recipe's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT, noise=NOISE, guidance=GUIDANCE)
        if self.label is not None and self.prompt is not None:
            raise ValueError("--label names a class, --prompt says words: give one.")

    def __call__(self) -> None:
        run = worded(self.opened().using(guidance=self.guidance), self.prompt, self.negative)
        if isinstance(run.data, Enlarging):
            other = pasteable("generate", self.run, "--base", "runs/small", recipe="cascade.py")
            raise ValueError(f"{run.name} enlarges pictures, and makes none of nothing: {other}, or enlarge.")
        if isinstance(run.data, Instructions):
            edit = pasteable("edit", self.run, "yours.png", "--instruction", run.captions[0], recipe="instruct.py")
            print(f"of words alone, without a picture; {run.name} was trained to change one: {edit}", file=sys.stderr)
        if self.label and getattr(run, "words", None) and not run.classes:
            raise ValueError(f"{run.name} knows no classes, but words: give --prompt in place of --label.")
        if self.noise is not None:
            run = run.with_noise(self.noise)
        height, width = self.size or run.size[1:]
        names = {seed: f"{height}x{width}-seed-{seed}" for seed in range(self.seed, self.seed + self.count)}
        out = check_outputs(self.out, subfolder(results(self.run), "samples"), [*names.values()])
        note = {"run": run.name, **run.origin, "sampler": str(self.sampler or run.sampling.sampler)}
        made = 0
        for seed, image in run.stream(self.size, self.count, self.seed, condition=self.label, processes=here()):
            out.save(names[seed], image, {**note, "seed": str(seed)})
            made += 1
        print(f"{counted(made)} in {out.out}")
