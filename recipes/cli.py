"""What the recipes' command lines share: train, sample, restore, resume, and errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Protocol, Union, get_args

import tyro
from tyro.conf import Positional

from degrade import OPERATORS, Degradation, GaussianNoise
from degrade.files import subfolder
from recipes import datasets
from recipes.command.limits import COUNT, GUIDANCE, NOISE, SEED, SHARE, STEPS, check_options
from recipes.command.next_steps import say_what_next
from recipes.command.outputs import check_file, check_folder
from recipes.command.pasteable import file_of_types, pasteable, program
from recipes.command.size import OptionalSize
from recipes.own_types import offered, types_in
from recipes.recipe import Recipe
from restore.machine.memory import exhausted
from restore.machine.processes import ProcessError, here, process_group
from restore.machine.provenance import provenance
from restore.machine.terminal import printable
from samplers import NAMED, Sampler

if TYPE_CHECKING:
    from recipes.run import Run

    SamplerName = str
else:
    SamplerName = Literal[tuple(NAMED)]


Preset = Literal["fast", "paper"]
YEAR = 366 * 24 * 60  # minutes


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
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""

    def __post_init__(self) -> None:
        check_options(self, steps=STEPS, seed=SEED)

    def opened(self) -> Run:
        from recipes.run import open_run

        return open_run(self.run, types=types_in(self.types))

    def rule(self) -> Sampler | None:
        """The step rule of that name; None for the recipe's."""
        return NAMED[self.sampler] if self.sampler else None


@dataclass(frozen=True)
class Sample(_Walk):
    """New images from a run, of any size, as PNGs in a folder."""

    size: OptionalSize = None
    """Height x width in pixels, such as 128x384 (default: the training image's)."""
    count: int = 4
    """Images."""
    noise: float | None = None
    """Standard deviation of a thumbnail prior's noise (default: the run's; 0 leaves symmetric images symmetric)."""
    label: str | None = None
    """Class of the images, "" for none in particular, if the run knows classes (default: each in turn)."""
    guidance: float | None = None
    """How strongly the class counts, 1 as learned (default: the recipe's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT, noise=NOISE, guidance=GUIDANCE)

    def __call__(self) -> None:
        from restore.data.images import save_image

        run = self.opened()
        if self.noise is not None:
            run = run.with_noise(self.noise)
        height, width = self.size or (None, None)
        folder = self.out or subfolder(self.run, "samples")
        check_folder(folder)
        note = {"run": str(self.run), "step": str(run.step), "sampler": str(self.sampler or run.recipe.sampling.sampler)}
        made = 0
        for seed, image in run.stream(
            height,
            width,
            self.count,
            self.steps,
            self.rule(),
            self.seed,
            processes=here(),
            label=self.label,
            guidance=self.guidance,
        ):
            name = f"{image.shape[1]}x{image.shape[2]}-seed-{seed}.png"
            save_image(image, folder / name, {**provenance(), **note, "seed": str(seed)})
            made += 1
        print(f"{made} images in {folder}")


@dataclass(frozen=True)
class Restore(_Walk):
    """Degrade an image and restore it: PSNR and SSIM of the degraded copy, of one direct step, and of the walk back.

    Clean, degraded, direct and restored stand side by side in a PNG.
    """

    image: Path | None = None
    """The clean image (default: the one that the run learned from, or the first of its folder)."""
    severity: float = 0.5
    """How far to degrade, in (0, 1]."""
    film: bool = False
    """Also write the walk as a strip: x_t above, the restorer's estimate of x0 below."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severity=SHARE)

    def __call__(self) -> None:
        from restore.data.images import format_of, grid, save_image
        from restore.evaluation.metrics import psnr, ssim
        from samplers import Trajectory

        run = self.opened()
        clean = run.image(self.image)
        out = check_file(self.out or self.run / "restored.png", self.image, run.recipe.images)
        format_of(out)  # refuses what could not be written in the end
        film = Trajectory()
        result = run.restore(clean, self.severity, self.steps, self.rule(), self.seed, on_step=film)
        for name in ("degraded", "direct", "restored"):
            x = getattr(result, name)[None]
            print(f"{name:9} PSNR {float(psnr(x, clean[None])):6.2f} dB   SSIM {float(ssim(x, clean[None])):.4f}")
        path = save_image(grid(list(result), 4), out)
        print(f"clean, degraded, direct, restored: {path}")
        if self.film:
            frames = film.thinned(12)
            rows = [frame.x[0] for frame in frames] + [frame.x0[0] for frame in frames]
            path = save_image(grid(rows, len(frames)).clamp(-1, 1), path.with_stem(f"{path.stem}-film"))
            print(f"the walk, x_t above and the estimate of x0 below: {path}")


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was interrupted, from its last checkpoint."""

    run: Positional[Path]
    """Folder of the run."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""

    def __call__(self) -> None:
        from recipes.run import resume

        run = resume(self.run, types=types_in(self.types))
        if here().is_main:
            say_what_next(run)


def train(recipe: Recipe, out: Path | None, minutes: float | None = None) -> None:
    """Trains `recipe` in `out`, or in the first free folder of its name below runs/, and leaves a picture there."""

    def announce() -> None:
        print(f"training {Path(recipe.images).name} in {folder}; Ctrl-C saves, and this goes on: {pasteable('resume', folder)}")

    stem = Path(recipe.images).stem
    hot = isinstance(recipe.degradation, GaussianNoise)
    name = stem if hot else f"{stem}-{_kebab(type(recipe.degradation).__name__)}"
    with process_group(recipe.training.timeout) as processes:
        folder = processes.broadcast(lambda: out or _free(Path("runs") / name))
        run = recipe.train(check_folder(folder), minutes=minutes, on_start=announce)
    if processes.is_main:
        say_what_next(run)


def _free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def chosen(args: Sequence[str], flag: str, options: Sequence[str]) -> str | None:
    """The value of `flag` among raw arguments, if it is one of `options`: defaults depend on it before they are parsed."""
    for arg, following in zip(args, [*args[1:], ""], strict=True):
        name, _, value = arg.partition("=")
        if name == flag and (value or following) in options:
            return value or following
    return None


def chosen_operator(args: Sequence[str], own: Sequence[type] = ()) -> Degradation | None:
    """The operator that a `degradation:<name>` among raw arguments asks for, with its default settings."""
    names = {f"degradation:{_kebab(operator.__name__)}": operator for operator in (*OPERATORS, *own)}
    return next((names[arg]() for arg in args if arg in names), None)


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _chosen_set(args: Sequence[str]) -> str:
    """The name of a set in recipes/datasets.py among raw arguments, unless a file or folder has that name; else ""."""
    return next((arg for arg in args if datasets.is_set(arg)), "")


class Make(Protocol):
    """What a recipe's file offers: `recipe(images, preset)`, and the same with another degradation."""

    def __call__(self, images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None, /) -> Recipe: ...


@dataclass(frozen=True)
class Train:
    """Learn from images. Flags after the images change single settings of the preset."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    preset: Preset = "fast"
    """Minutes on two CPU cores, or as published."""
    out: Path | None = None
    """Folder of the run (default: below runs/, named after the images and the degradation)."""
    minutes: float | None = None
    """Train for about so long, whatever the machine (default: for --training.steps)."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, to be named like the others; it is executed."""

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes <= YEAR:
            raise ValueError(f"minutes is a time > 0, of at most a year, got {self.minutes}.")

    def __call__(self) -> None:
        train(self.recipe, self.out, self.minutes)


def commands(make: Make, file: str, doc: str | None, demo: Callable[[], str | Path]) -> Callable[[Sequence[str]], None]:
    """The command line of a recipe's file: train, sample, restore, resume; without arguments it trains on `demo()`."""

    def main(args: Sequence[str]) -> None:
        if not args:
            train(make(demo()), None)
            return
        preset: Preset = "paper" if chosen(args, "--preset", get_args(Preset)) == "paper" else "fast"
        own = types_in(file_of_types(args))
        images, operator = _chosen_set(args), chosen_operator(args, own)
        defaults = make(images, preset)
        if operator is not None and type(operator) is not type(defaults.degradation):  # else with the recipe's own settings
            defaults = make(images, preset, operator)
        defaults = replace(defaults, images=tyro.MISSING_NONPROP)
        command = Union[
            Annotated[Train, tyro.conf.subcommand("train", default=Train(defaults, preset))],
            Annotated[Sample, tyro.conf.subcommand("sample")],
            Annotated[Restore, tyro.conf.subcommand("restore")],
            Annotated[Resume, tyro.conf.subcommand("resume")],
        ]
        config = (tyro.conf.CascadeSubcommandArgs,)
        with offered(own):
            asked = tyro.cli(command, args=args, prog=program(file), description=doc, config=config)
        asked()

    return main


def _leave(reason: str) -> NoReturn:
    who, reason = here(), printable(reason)
    sys.exit(f"error: {reason}" if who.count == 1 else f"error in process {who.rank} of {who.count}: {reason}")


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Calls `main` with the arguments; what a user can put right ends in one line, without a traceback."""
    try:
        main(sys.argv[1:])
    except (ValueError, OSError, ProcessError) as error:
        _leave(str(error))
    except (MemoryError, RuntimeError) as error:
        if not exhausted(error):
            raise
        _leave("out of memory: choose a smaller size, or fewer images at a time.")
