"""What the recipes' command lines share: the commands on a run, and errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from degrade import OPERATORS, Degradation
from recipes.recipe import Recipe
from samplers import NAMED, Sampler

if TYPE_CHECKING:
    from recipes.run import Run

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[tuple(NAMED)]


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"a size is HEIGHTxWIDTH in pixels, such as 128x384; got {text!r}.")
    return int(parts[0]), int(parts[1])


Size = Annotated[
    tuple[int, int],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="HxW",
        instance_from_str=lambda args: _size(args[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [f"{value[0]}x{value[1]}"],
    ),
]


@dataclass(frozen=True)
class _Walk:
    run: Positional[Path]
    """Folder of the run, such as runs/photo."""
    steps: int | None = None
    """Steps of the walk back (default: the recipe's)."""
    sampler: SamplerName | None = None
    """Step rule (default: the recipe's)."""
    seed: int = 0
    """Everything random derives from it; of several images, image i has `seed + i`."""
    out: Path | None = None
    """Where the result goes (default: into the folder of the run)."""

    def rule(self) -> Sampler | None:
        """The step rule of that name; None for the recipe's."""
        return NAMED[self.sampler] if self.sampler else None


@dataclass(frozen=True)
class Sample(_Walk):
    """New images from a run, of any size, as PNGs in a folder."""

    size: Size | None = None
    """Height x width in pixels, such as 128x384 (default: the training image's)."""
    count: int = 4
    """Images."""

    def __call__(self) -> None:
        from recipes.run import open_run
        from restore.images import save_image

        run = open_run(self.run)
        height, width = self.size or (None, None)
        images = run.sample(height, width, self.count, self.steps, self.rule(), self.seed)
        folder = self.out or self.run / "samples"
        note = {"run": str(self.run), "step": str(run.step), "sampler": str(self.sampler or run.recipe.sampling.sampler)}
        for i, image in enumerate(images):
            name = f"{image.shape[1]}x{image.shape[2]}-seed-{self.seed + i}.png"
            save_image(image, folder / name, {**note, "seed": str(self.seed + i)})
        print(f"{len(images)} images of {images.shape[2]} x {images.shape[3]} in {folder}")


@dataclass(frozen=True)
class Restore(_Walk):
    """Degrade an image and restore it: PSNR and SSIM of the degraded copy, of one direct step, and of the walk back.

    Clean, degraded, direct and restored stand side by side in a PNG.
    """

    image: Path | None = None
    """The clean image (default: the one that the run learned from)."""
    severity: float = 0.5
    """How far to degrade, in (0, 1]."""

    def __call__(self) -> None:
        from recipes.run import open_run
        from restore.images import grid, load_image, save_image
        from restore.metrics import psnr, ssim

        run = open_run(self.run)
        clean = load_image(self.image or run.recipe.images, run.recipe.data.size, run.size[0])
        result = run.restore(clean, self.severity, self.steps, self.rule(), self.seed)
        for name in ("degraded", "direct", "restored"):
            x = getattr(result, name)[None]
            print(f"{name:9} PSNR {float(psnr(x, clean[None])):6.2f} dB   SSIM {float(ssim(x, clean[None])):.4f}")
        path = save_image(grid(list(result), 4), self.out or self.run / "restored.png")
        print(f"clean, degraded, direct, restored: {path}")


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was interrupted, from its last checkpoint."""

    run: Positional[Path]
    """Folder of the run."""

    def __call__(self) -> None:
        from recipes.run import resume

        _finish(resume(self.run))


def train(recipe: Recipe, out: Path | None) -> None:
    """Trains `recipe` in `out`, or in the first free runs/<name>, and leaves a grid of samples there."""
    folder = out or _free(Path("runs") / Path(recipe.images).stem)
    print(f"training {Path(recipe.images).name} in {folder}; Ctrl-C saves, and `resume {folder}` goes on")
    _finish(recipe.train(folder))


def _finish(run: Run) -> None:
    """Samples beside the training image, or how to go on with a run that was interrupted."""
    from restore.images import grid, save_image

    if run.step < run.recipe.training.steps:
        print(f"stopped and saved at step {run.step} of {run.recipe.training.steps}; go on with: resume {run.folder}")
        return
    images = run.sample(count=4)
    clean = run.recipe.data.open(run.recipe.images).images[0]
    path = save_image(grid([clean, *images], 5), run.folder / "samples.png")
    print(f"results in {run.folder}: {path.name} (training image, then samples), checkpoints/, previews/, metrics.jsonl")
    print(f"more, at any size: sample {run.folder} --size {clean.shape[1]}x{3 * clean.shape[2]} --count 4")


def _free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def bundled_photograph() -> Path:
    """A launch photograph by SpaceX, released into the public domain, that comes with scikit-image."""
    from importlib.util import find_spec

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ValueError(
            "the demonstration uses a photograph from scikit-image, which is not installed: "
            'python -m pip install -c constraints.txt -e ".[demo]". Or train on yours: train photo.jpg'
        )
    return Path(spec.origin).parent / "data" / "rocket.jpg"


def chosen(args: Sequence[str], flag: str, options: Sequence[str]) -> str | None:
    """The value of `flag` among raw arguments, if it is one of `options`: defaults depend on it before they are parsed."""
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        name, _, value = arg.partition("=")
        if name == flag and (value or following) in options:
            return value or following
    return None


def chosen_operator(args: Sequence[str]) -> Degradation | None:
    """The operator that a `degradation:<name>` among raw arguments asks for, with its default settings."""
    names = {f"degradation:{_kebab(operator.__name__)}": operator for operator in OPERATORS}
    return next((names[arg]() for arg in args if arg in names), None)


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def run(main: Callable[[list[str]], None]) -> None:
    """Calls `main` with the arguments; what a user can put right ends in one line, without a traceback."""
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
