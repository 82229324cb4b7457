"""The command line of a recipe's file: train, sample, restore, degrade-and-restore, resume; and errors in one line."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Protocol, Union, get_args, get_type_hints

import tyro

from degrade import Degradation
from recipes.command import training
from recipes.command.pasteable import NAME, file_of_types, program
from recipes.command.restoring import DegradeAndRestore, Restore
from recipes.command.training import Resume, Train
from recipes.command.walk import Sample
from restore.data import bundled
from restore.machine.memory import exhausted
from restore.machine.processes import ProcessError, here
from restore.machine.terminal import printable
from restore.own_types import offered, types_in
from restore.recipe import Recipe
from restore.run import read_recipe

CONFIG = (tyro.conf.CascadeSubcommandArgs,)
WithRun = Union[
    Annotated[Sample, tyro.conf.subcommand("sample")],
    Annotated[Restore, tyro.conf.subcommand("restore")],
    Annotated[DegradeAndRestore, tyro.conf.subcommand("degrade-and-restore")],
    Annotated[Resume, tyro.conf.subcommand("resume")],
]
"""What is done with a run, whatever recipe it was trained by."""


class Make(Protocol):
    """What a recipe's file offers: `recipe(images, preset)`, and the same with another degradation."""

    def __call__(self, images: str | Path, preset: Any = "fast", degradation: Degradation | None = None, /) -> Recipe: ...


class _Choice(NamedTuple):
    """What the defaults of all other options depend on."""

    preset: str
    images: str = ""
    """The name of a set, else empty."""
    operator: type | None = None
    """The degradation that was named, None for the recipe's."""
    stored: Path | None = None
    """A run, or its run.json, whose recipe is taken up."""

    def defaults(self, make: Make, types: Sequence[type]) -> Recipe:
        recipe = read_recipe(self.stored, types) if self.stored else make(self.images, self.preset)
        if self.operator is None or self.operator is type(recipe.degradation):  # the recipe's own settings of it
            return recipe
        if self.stored:
            return replace(recipe, degradation=self.operator())
        return make(self.images, self.preset, self.operator())

    def of(self, asked: Any, make: Make, types: Sequence[type]) -> _Choice:
        """What a command chooses whose other options are those of this choice."""
        if not isinstance(asked, Train):
            return self
        images = str(asked.recipe.images)
        operator: type | None = type(asked.recipe.degradation)
        if operator is type(self.defaults(make, types).degradation):  # it may have been named, or not
            operator = self.operator
        return _Choice(asked.preset, images if bundled.is_set(images) else "", operator, asked.stored)


def commands(
    make: Make,
    file: str,
    doc: str | None,
    demo: Callable[[], str | Path],
    minutes: float | None = None,
    more: Sequence[Any] = (),
) -> Callable[[Sequence[str]], None]:
    """The command line of a recipe's file; without arguments it trains on `demo()`, for so many `minutes`.

    more: further commands, each a type annotated with its subcommand. The first of the presets is the usual one.
    """
    presets = get_type_hints(make)["preset"]
    usual = _Choice(get_args(presets)[0])
    offering: Any = Train[presets]  # type: ignore[valid-type]

    def parsed(args: Sequence[str], choice: _Choice, types: Sequence[type], tolerant: bool = False) -> Any:
        """The command, options that are not given being those of `choice`; tolerant of what another choice would know."""
        defaults = choice.defaults(make, types)
        images: Any = defaults.images if choice.stored else Path() if tolerant else tyro.MISSING_NONPROP
        default = offering(replace(defaults, images=images), choice.preset, stored=choice.stored)
        command: Any = Union[Annotated[offering, tyro.conf.subcommand("train", default=default)], *more, WithRun]
        if not tolerant:
            return tyro.cli(command, args=args, prog=program(file), description=doc, config=CONFIG)
        asked = [arg for arg in args if arg not in ("-h", "--help")]
        with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(command, args=asked, default=default, return_unknown_args=True, config=CONFIG)[0]
        return default  # what is wrong is said at the second look

    def main(args: Sequence[str]) -> None:
        if not args:
            training.train(make(demo()), None, minutes)
            return
        types = types_in(file_of_types(args))
        with offered(types):
            choice = usual.of(parsed(args, usual, types, tolerant=True), make, types)
            asked = parsed(args, choice, types)
            if (found := choice.of(asked, make, types)) not in (choice, usual):
                asked = parsed(args, found, types)
        asked()

    return main


def with_run(args: Sequence[str]) -> None:
    """Does with a run what the first argument says."""
    tyro.cli(WithRun, args=args, prog=NAME, description=with_run.__doc__, config=CONFIG)()


def _leave(reason: str) -> NoReturn:
    who, reason = here(), printable(reason)
    sys.exit(f"error: {reason}" if who.count == 1 else f"error in process {who.rank} of {who.count}: {reason}")


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Calls `main` with the arguments; what a user can put right ends in one line, without a traceback."""
    try:
        main(sys.argv[1:])
    except Exception as error:
        reason = in_words(error)
        if reason is None:
            raise
        _leave(reason)


def in_words(error: Exception) -> str | None:
    """One line that says what a user can put right; None for anything else, which is a fault of the program."""
    if isinstance(error, ValueError | OSError | ProcessError):
        return str(error)
    if isinstance(error, MemoryError | RuntimeError) and exhausted(error):
        return "out of memory: choose a smaller size, or fewer images at a time."
    return None
