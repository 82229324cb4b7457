"""The user's own operators, samplers and networks: read from a Python file that they name, offered on the command line."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union

import tyro

_offered: ContextVar[tuple[type, ...]] = ContextVar("offered", default=())


def types_in(file: Path | None) -> tuple[type, ...]:
    """The dataclasses that `file`, a Python file, defines. It is executed: name only what you trust.

    Raises ValueError, in one line, where it cannot be read or defines none.
    """
    if file is None:
        return ()
    name = f"own_types_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file) if file.is_file() and file.suffix == ".py" else None
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is not a Python file: name the .py file that defines your operator, sampler or network.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where annotations are looked up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be imported: {type(error).__name__}: {reason}") from None
    found = tuple(value for value in vars(module).values() if _is_own(value, name))
    if not found:
        raise ValueError(f"{file} defines no dataclass: an operator, a sampler or the settings of a network is a frozen one.")
    return found


def _is_own(value: object, module: str) -> bool:
    return isinstance(value, type) and is_dataclass(value) and value.__module__ == module


@contextmanager
def offered(types: Sequence[type]) -> Iterator[None]:
    """The command line that is read inside knows `types` too."""
    token = _offered.set(tuple(types))
    try:
        yield
    finally:
        _offered.reset(token)


def choice(protocol: type, known: Sequence[type]) -> Any:
    """What a setting of type `protocol` can be on the command line: one of `known`, or of the user's own types."""

    def options() -> Any:
        return Union[(*known, *_own(protocol))]

    return tyro.conf.arg(constructor_factory=options)


def setting(protocol: type, known: Sequence[type]) -> Any:
    """The same, but of the default's type unless the user brings one that fits, so that help stays short."""

    def options() -> Any:
        own = _own(protocol)
        kinds: Any = Union[(*known, *own)]
        return kinds if own else tyro.conf.AvoidSubcommands[kinds]  # type: ignore[misc]

    return tyro.conf.arg(constructor_factory=options)


def _own(protocol: type) -> list[type]:
    """The user's own types that have all that `protocol` names, its methods with the same number of arguments."""
    members = [name for name in dir(protocol) if not name.startswith("_") or name == "__call__"]
    return [cls for cls in _offered.get() if all(_has(cls, name, getattr(protocol, name)) for name in members)]


def _has(cls: type, name: str, expected: object) -> bool:
    found = getattr(cls, name, None)
    if not (inspect.isfunction(expected) and inspect.isfunction(found)):
        return found is not None or name in {f.name for f in fields(cls)}
    try:
        inspect.signature(found).bind(*inspect.signature(expected).parameters)
    except TypeError:
        return False
    return True


def kebab(name: str) -> str:
    """A type's name as the command line spells it: GaussianNoise, gaussian-noise."""
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
