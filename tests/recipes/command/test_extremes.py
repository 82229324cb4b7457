"""Every option of every program in recipes/ at 0, -1, nan, inf, 1e30, without a value and too long: refused in words, unless
it means something. The options are read off the parsers, so that a new one is tried too."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass, replace
from functools import partial, reduce
from typing import Any

import pytest

from recipes import sindiffusion
from restore.training.session import train
from tests.options import FILES, Option, Program, program
from tests.tiny import tiny

FLOATS = (0.0, -1.0, math.nan, math.inf, 1e30)
GARBAGE = ("", "x", "9" * 5000, "0x4", "4x-1", "4x4x4", "99999999999999999999x10")
SIGNED = """
    --objective.bias --training.times.mean --space.shift
    --etas --degradation.colour --degradation.schedule.lowest --degradation.schedule.highest
"""
NONE = """
    --seed --training.seed --weight --soft --margin --noise --guidance --picture-guidance --sampling.guidance --sampling.rescale
    --sampling.picture-guidance --sampling.threshold --prior.noise
    --training.warmup --training.weight-decay --training.clip --training.ema
    --training.condition-dropout.label --training.condition-dropout.pooled --training.condition-dropout.tokens
    --training.condition-dropout.text --training.condition-dropout.image --training.condition-dropout.whole
    --data.reduce --objective.coarsest --network.attention --network.transformer --network.classes --network.dropout
    --network.pooled --network.picture --network.tokens --network.text
    --network.adversary --objective.kl --objective.adversary --objective.since
    --data.most --space.scale --level
    --stem.channels --degradation.rate --degradation.spread --sampling.sampler.eta --latent
    --iterations --prior --etas --novelty --settings.balanced --settings.border --settings.upright
    --settings.directions --settings.octaves
"""
MEANT = {0: [*NONE.split(), *SIGNED.split()], -1: SIGNED.split()}
"""Options for which a number means something: for most, 0 is "none". Colours lie in [-1, 1], log-SNR and its shift have either
sign, attention names levels from 0."""
MAY_BE_EMPTY = ["--network.attention"]


every_program = pytest.mark.parametrize("one", [program(file) for file in FILES], ids=lambda one: one.name)


def refused(make: Callable[[], object]) -> bool:
    """Whether what is wrong is said in words, by the parser or in one line; any other exception is a failure."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            make()
    except SystemExit as end:
        return end.code == 2
    except ValueError as error:
        return len(str(error).splitlines()) == 1
    return False


def line(one: Program, option: Option, *values: str) -> list[str]:
    """A command line with the option, and with what the command cannot do without. (No file has to be there to be named.)"""
    first, *rest = option.commands or ("",)
    second = one.name in ("judge", "diffedit") or first == "restore" or (one.name == "instruct" and first in ("edit", "pairs"))
    needed = ["photo.png", *(["photo.png"] if second else [])]
    needed += ["small.png"] if first in ("enlarge", "vary") else []
    needed += ["--decoder" if one.name == "unclip" else "--base", "small"] if first == "generate" else []
    needed += ["subject", "--noun", "dog"] if one.name == "dreambooth" else []
    needed += ["photo.png", "--prompt", "x"] if one.name == "imagic" and first == "edit" else []
    needed += ["--prompt", "x"] if one.name == "diffedit" else []
    needed += ["--instruction", "x"] if one.name == "instruct" and first == "edit" else []
    needed += ["--image", "pasted.png"] if first in ("sdedit", "harmonise") else []
    needed += ["--prior", "photo.png", *(["--size", "8x8"] if option.flag != "--size" else [])] if one.name == "solve" else []
    needed += ["--mask", "mask.png"] if first in ("inpaint", "harmonise") and option.flag != "--mask" else []
    return [*filter(None, [first]), *needed, *rest, *([option.flag, *values] if values else [])]


def tries(option: Option) -> Iterator[tuple[float, ...]]:
    """The numbers to try: one alone, in either place of a pair, or none at all."""
    numbers: tuple[float, ...] = FLOATS if "FLOAT" in option.kind else (0, -1, 10**30)
    if option.nargs == 2:
        yield from (pair for number in numbers[1:] for pair in ((number, 0.5), (0.5, number)))
    else:
        yield from ((number,) for number in numbers)
    if option.nargs == "*":
        yield ()


def means_something(option: Option, numbers: tuple[float, ...]) -> bool:
    return all(option.flag in MEANT.get(number, []) for number in numbers) if numbers else option.flag in MAY_BE_EMPTY


def with_value(settings: Any, place: tuple[str, ...], value: object) -> Any:
    """The settings with another value at that place, made anew and so checked, as by the command line."""
    name, *inner = place
    return replace(settings, **{name: with_value(getattr(settings, name), tuple(inner), value) if inner else value})


def at(settings: Any, place: tuple[str, ...]) -> Any:
    return reduce(getattr, place, settings)


@every_program
def test_numbers(one):
    """Each is put in the place that its option sets."""
    made: dict[tuple[str, ...], Any] = {}
    for option in one.options:
        if not option.numeric:
            continue
        if option.commands not in made and one.name != "judge":
            made[option.commands] = one.parsed(line(one, option))
        settings = made.get(option.commands)
        for numbers in tries(option):
            value = numbers[0] if option.nargs == 1 else numbers
            if option.nargs == "*" and numbers:  # one a level of a network, or as many as there are by default
                value = numbers * max(1, len(at(settings, option.place) or ()))
            make = partial(with_value, settings, option.place, value)
            if not is_dataclass(settings):  # a function, which looks at its arguments when it is called
                make = partial(one.parsed, line(one, option, str(value)))
            assert refused(make) != means_something(option, numbers), f"{option.flag} {numbers} of {' '.join(option.commands)}"


@every_program
def test_words(one, request):
    """What is no number, or not a size, and numbers on their way through the parser. Where that is slow, because the program
    has hundreds of options, one word for the first option of each kind; with --extremes all, for all."""
    seen, slow = set(), any(option.commands[:1] == ("train",) for option in one.options)
    whole = request.config.getoption("--extremes")
    for option in one.options:
        if not option.sized or (option.kind in seen and not whole):
            continue
        seen.add(option.kind)
        numbers = [str(number) for number in FLOATS if option.numeric and not means_something(option, (number,))]
        words = [*GARBAGE, *numbers] if whole or not slow else ["1e30"]
        for word in words:
            count = option.nargs if isinstance(option.nargs, int) else 1
            assert refused(partial(one.parsed, line(one, option, *[word] * count))), f"{option.flag} {word[:20]}"


def test_what_means_something_works(photo, tmp_path, request):
    """A training of one step at each number that is not refused: with --extremes for all options, else for some."""
    one = next(program(file) for file in FILES if file.stem == "sindiffusion")
    base = tiny(photo)
    some = ("--training.ema", "--sampling.guidance", "--degradation.colour")
    for option in one.options:
        wanted = option.flag in some or request.config.getoption("--extremes")
        numbers = {number for number, flags in MEANT.items() if option.flag in flags} if wanted else ()
        for number in numbers if option.place[0] == "recipe" and "network" not in option.place else ():
            recipe = one.parsed(line(one, option, str(number))).recipe
            if "degradation" in option.place:  # with the prediction and the sampler that it needs
                recipe = sindiffusion.recipe(photo, degradation=recipe.degradation)
            recipe = replace(
                recipe,
                images=photo,
                data=base.data,
                network=base.network,
                training=replace(recipe.training, steps=1),
                sampling=replace(recipe.sampling, steps=2),
            )
            assert train(recipe, tmp_path / f"{'-'.join(option.commands)}{option.flag}{number}").step == 1
