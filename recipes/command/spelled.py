"""A command as the words that the command line reads it from, so that what was asked for elsewhere can be pasted there."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_type_hints

import tyro

from recipes.command.pasteable import pasteable
from restore.own_types import kebab


def spelled(asked: Any) -> str:
    """The command of `asked`, a dataclass that some recipe's command line reads, without what is as by default:
    python recipes/edit.py inpaint photo.jpg --mask mask.png."""
    recipe, *words = arguments(asked)
    return pasteable(*words, recipe=f"{recipe}.py")


def arguments(asked: Any) -> list[str]:
    """The recipe's name, and the arguments for it. Of what is done with a run any recipe will do."""
    home, _, module = type(asked).__module__.rpartition(".")
    recipe, word = module if home == "recipes" else "sindiffusion", type(asked).__name__.lower()
    return [recipe, *([] if word == recipe else [word]), *_words(asked, "")]


def _words(settings: Any, prefix: str) -> list[str]:
    """Positional arguments, then flags, then what chooses among types: it ends the options of what is above."""
    hints = get_type_hints(type(settings), include_extras=True)
    positional: list[str] = []
    flags: list[str] = []
    chosen: list[str] = []
    for field in fields(settings):
        value, marks = getattr(settings, field.name), getattr(hints[field.name], "__metadata__", ())
        name = prefix + field.name.replace("_", "-")
        if any(mark in getattr(tyro.conf.Positional[int], "__metadata__", ()) for mark in marks):
            positional.append(str(value))
        elif value == _default(field):
            continue
        elif is_dataclass(value):
            same = type(value) is type(_default(field))
            chosen += [*([] if same else [f"{name}:{kebab(type(value).__name__)}"]), *_words(value, f"{name}.")]
        elif isinstance(value, bool):
            flags.append(f"--{name}" if value else f"--{prefix}no-{field.name.replace('_', '-')}")
        else:
            flags += [f"--{name}", *_values(value, marks)]
    return [*positional, *flags, *chosen]


def _values(value: Any, marks: tuple[Any, ...]) -> list[str]:
    for mark in marks:
        if isinstance(mark, tyro.constructors.PrimitiveConstructorSpec):
            return mark.str_from_instance(value)
    return [str(each) for each in value] if isinstance(value, tuple) else [str(value)]


def _default(field: Field) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
