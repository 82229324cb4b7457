"""Restore a picture that was degraded in a known way, without training for it: by samples under a prior.

The prior is a photograph of the same kind of thing, whose patches are used without training, or a run of noise, such as
recipes/sindiffusion.py and recipes/simple_diffusion.py make. Where much was lost the answers differ: they are drawn several
times, with their mean, and a picture of how far they spread.

    python recipes/solve.py blurry.jpg degradation:gaussian-blur --severity .2 --noise .02 --prior photo.jpg
    python recipes/solve.py blurry.jpg degradation:gaussian-blur --severity .1 .2 .3 --noise .02 --prior photo.jpg  # unknown
    python recipes/solve.py small.jpg --size 256x384 --prior photo.jpg                           # only its size was lost

A severity s of gaussian-blur is a blur of 8 s pixels; what others look like: recipes/degrading.py. A JPEG is no degradation
that can be written down: recipes/pairs.py learns it. The methods, with their papers: samplers/guides/likelihood.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade import OPERATORS, Degradation, Markov, seeds
from degrade.lazy import torch
from recipes.command import cli
from recipes.command.limits import COUNT, NOISE, SEED, SHARE, SIDE, STEPS, check_options
from recipes.command.outputs import check_outputs, first_free, plain_stem, severity_name
from recipes.command.pasteable import file_of_types, program
from recipes.command.seen import say_seen
from recipes.command.size import OptionalSize
from recipes.command.source import is_run, opened
from restore.data.sources import LEAST
from restore.own_types import choice, offered, types_in
from restore.pipelines.solving import Forward, reduced_to
from samplers import Method

if TYPE_CHECKING:
    from torch import Tensor

    from restore.pipelines.pipeline import Pipeline
    from restore.pipelines.solving import Solution

MOST = 2_000_000
"""Pixels: larger pictures take hours."""
MOMENTS = ("mean", "spread")
"""Of the samples, which are shown beside them."""
KNOWN = tuple(operator for operator in OPERATORS if not isinstance(operator(), Markov))
"""What can be named: of noise it is --noise."""


@dataclass(frozen=True)
class Solve:
    """Draws images that a degraded picture may be of."""

    image: Positional[Path]
    """The degraded picture, at the size that it was degraded at."""
    _: KW_ONLY
    prior: Path
    """A photograph of the same kind of thing, or a run of noise (its folder, or hf://user/run)."""
    degradation: Annotated[Degradation | None, choice(Degradation, (*KNOWN, type(None)))] = None
    """What was done to it (default: nothing but that it was made smaller, see --size)."""
    severity: tuple[float, ...] = (0.5,)
    """How far it was degraded, in (0, 1] (a gaussian-blur of .25: 2 of 8 pixels); of several a strip is made, and the likeliest
    named where the noise is known."""
    noise: float = 0.0
    """Standard deviation of the picture's noise, white being 1 and black -1: .02 is 2.5 of 255; 0: exact to the last bit."""
    method: Method = "diffpir"
    """How samples are held to the picture; ddnm, pigdm and moments are for linear degradations."""
    count: int = 4
    """Samples."""
    size: OptionalSize = None
    """Height x width of what is wanted, where the picture is smaller: it was reduced after the degradation, if any."""
    latent: int | None = None
    """Seed of what the degradation drew, such as snow's flakes: that of recipes/degrading.py (--seed), with its --severity."""
    side: int | None = None
    """Reduce the picture's longer side to this, pixels (default: its own size); a blur becomes as much smaller."""
    detail: int | None = None
    """The longer side of a photograph taken as prior, pixels (default: that of what is wanted)."""
    steps: int | None = None
    """Steps of the walk back (default: the run's; without training, 4 a scale)."""
    prompt: str = ""
    """What the picture shows: words, for an imported model that knows words, or a class."""
    seed: int = 0
    """Of the samples: sample i has `seed + i`."""
    out: Path | None = None
    """Folder for the images (default: runs/<name>-solved); of one sample also a file."""
    types: Path | None = None
    """Python file with your own operator, sampler or network; it is executed."""
    device: str | None = None
    """Where a run is used, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_options(
            self, severity=SHARE, noise=NOISE, count=COUNT, seed=SEED, latent=SEED, side=SIDE, detail=SIDE, steps=STEPS
        )
        if self.latent is not None and self.side is not None:
            raise ValueError("what --latent names was drawn for the picture's own size: leave out --side.")
        if self.degradation is None and self.size is None:
            raise ValueError("say what was done to the picture: degradation:gaussian-blur, or --size where it is too small.")

    def __call__(self) -> None:
        from restore.data.images import grid

        severities = self.severity if self.degradation else (1.0,)
        homes = ["" if len(severities) == 1 else f"{severity_name(s)}/" for s in severities]
        samples, beside = ([f"{home}{name}" for home in homes for name in names] for names in (self.samples, MOMENTS))
        folder = first_free(Path("runs") / f"{plain_stem(self.image)}-solved")
        out = check_outputs(self.out, folder, samples, [*beside, "strip"], (self.image, self.prior))
        pipeline, degraded = self.opened()
        wanted = self.size or (degraded.shape[1], degraded.shape[2])
        rows, misfits, common = [], [], {"noise": f"{self.noise:g}", "prior": str(self.prior)}
        for severity, home in zip(severities, homes, strict=True):
            operator = self.operator(severity, (degraded.shape[0], *wanted), (degraded.shape[1], degraded.shape[2]))
            solution = self.solved(pipeline, degraded, operator, wanted)
            misfits.append(_rms(operator(solution.mean[None]) - degraded))
            spread = shown(solution.deviation)
            made = zip((*MOMENTS, *self.samples), (solution.mean, spread, *solution.samples), strict=True)
            for name, image in made:
                out.save(f"{home}{name}", image, {**common, "severity": f"{severity:g}"})
            rows.append([_enlarged(degraded, wanted), solution.mean, spread, *solution.samples])
            apart = f"; they spread by {_rms(solution.deviation):.4f}" if self.count > 1 else ""
            at = f"severity {severity:g}: " if self.degradation else ""
            print(f"{at}the mean of the samples, degraded, differs from the picture by {misfits[-1]:.4f}{apart}")
        strip = out.save("strip", grid([x for row in rows for x in row], len(rows[0])), common)
        self.say_which(misfits)
        print(f"the picture, the mean, where samples differ (white: most), and the samples: {strip}; each beside it")

    @property
    def samples(self) -> list[str]:
        """Names of the samples for a severity."""
        return [f"sample-{i}" for i in range(self.count)]

    def say_which(self, misfits: Sequence[float]) -> None:
        """The largest severity that explains the picture but for its noise: smaller ones do, too, and leave the rest of it."""
        if len(misfits) == 1:
            if misfits[0] > max(3 * self.noise, UNEXPLAINED):
                print(f"that is far more than the noise, {self.noise:g}: the picture was degraded in another way, or less.")
            if not self.noise:
                print("no noise was stated (--noise): a file of 8 bits has .003, one that looks grainy .02 and more.")
            return
        if not self.noise:
            print("which severity it is can be told where the noise is known (--noise).")
            return
        fits = [s for s, misfit in zip(self.severity, misfits, strict=True) if misfit <= WITHIN * self.noise]
        if fits:
            print(f"the largest severity that leaves no more than the noise, {self.noise:g}: {max(fits):g}")
        else:
            print(f"no severity explains the picture up to noise of {self.noise:g}: try smaller ones, or more noise.")

    def opened(self) -> tuple[Pipeline, Tensor]:
        """The prior, and the picture (C, h, w). Raises ValueError for more than can be solved."""
        from restore.data.decoding import image_size
        from restore.data.images import load_image

        own = image_size(self.image)
        share = min(1.0, self.side / max(own)) if self.side else 1.0
        height, width = self.size or (round(own[0] * share), round(own[1] * share))
        if height * width > MOST:
            raise ValueError(
                f"{self.image} is to be solved at {height}x{width}, more than {MOST / 1e6:g} megapixels: choose a "
                "smaller --size, or reduce the picture (--side 1000); a blur becomes as much smaller, and so does its severity."
            )
        detail = self.detail or max(height, width)
        pipeline = opened(self.prior, detail, self.types, self.device).using(steps=self.steps)
        degraded = load_image(self.image, self.side, pipeline.size[0])
        say_seen(self.image, degraded, "--side")
        if not is_run(self.prior):
            say_seen(self.prior, pipeline.read(), "--detail")
        if self.size and (degraded.shape[1] > height or degraded.shape[2] > width):
            raise ValueError(
                f"{self.image} has {degraded.shape[1]}x{degraded.shape[2]} pixels, --size {height}x{width} is smaller: reduce "
                "the picture with --side."
            )
        if min(pipeline.size[1:]) < LEAST:
            raise ValueError(
                f"{self.prior} is seen as {pipeline.size[1]}x{pipeline.size[2]} pixels, too few for a prior: expected sides of "
                f"at least {LEAST}. Cut its longer side, or name a larger photograph."
            )
        return pipeline, degraded

    def operator(self, severity: float, shape: tuple[int, int, int], seen: tuple[int, int]) -> Forward:
        """A: images (B, *shape) to what the picture shows of them, of `seen` height and width. ValueError for no latent."""
        from degrade.tree import tree_leaves, tree_map

        if self.degradation is None:
            return reduced_to(seen)
        degradation, nothing = self.degradation, torch.zeros(1, *shape)
        latent = degradation.draw(nothing, seeds(self.latent or 0, 1))
        if self.latent is None and list(tree_leaves(latent)):
            raise ValueError(
                f"{type(degradation).__name__} drew something at random, without which it is not known what was done: --latent "
                "names its seed, where recipes/degrading.py made the picture; holes are filled by edit.py inpaint."
            )
        reduce = reduced_to(seen) if seen != shape[1:] else None

        def forward(x: Tensor) -> Tensor:
            z = tree_map(lambda z: z.to(x.device).expand(len(x), *z.shape[1:]), latent)
            y = degradation(x, torch.full((len(x),), severity, device=x.device), z)
            return reduce(y) if reduce else y

        return forward

    def solved(self, pipeline: Pipeline, degraded: Tensor, operator: Forward, size: tuple[int, int]) -> Solution:
        options = {"noise": self.noise, "method": self.method, "count": self.count, "size": size, "seed": self.seed}
        return pipeline.solve(degraded, operator, condition=self.prompt, **options)  # type: ignore[arg-type]


UNEXPLAINED = 0.02
"""What the mean may differ by from the picture where there is little noise."""
WITHIN = 1.1
"""Of the noise, what a picture may differ by that a severity explains."""


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def shown(deviation: Tensor) -> Tensor:
    """The mean over channels, white where 1 pixel in 100 is beyond."""
    grey = deviation.mean(0, keepdim=True)
    return (2 * grey / grey.quantile(0.99).clamp(min=1e-6) - 1).clamp(max=1).expand_as(deviation)


def _enlarged(x: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.nn.functional.interpolate(x[None], size, mode="nearest-exact")[0]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    with offered(types_in(file_of_types(args))):
        tyro.cli(Solve, args=args, prog=program(__file__), description=__doc__, config=(tyro.conf.CascadeSubcommandArgs,))()


if __name__ == "__main__":
    cli.run(main)
