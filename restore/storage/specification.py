"""Frozen dataclasses to JSON and back, strictly: the one format in which a recipe and its prior are stored.

A dataclass becomes {"type": its name, field: value, ...}. Types come from an allow-list, so a file can name nothing
else; unknown, missing and ill-typed entries are errors. Tensors are put aside under their path, for safetensors.

A type of the user's own joins the list where whoever opens the file names it. `check_round_trip` tells beforehand whether
what is stored will come back.
"""

from __future__ import annotations

import json
import math
import re
import types as builtin_types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


LONGEST = 1000
"""Characters of a name or path."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What a name could break lines, or take over a terminal, with."""


class SpecificationError(ValueError):
    """A stored specification that does not fit; the message says where and what was expected."""


def encode(value: Any, tensors: dict[str, Tensor] | None = None, path: str = "") -> Any:
    """`value` as JSON data; its tensors go to `tensors`, keyed by their path in it."""
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: encode(getattr(value, f.name), tensors, _join(path, f.name)) for f in fields(value)}
        return {"type": type(value).__name__, **inside}
    if isinstance(value, tuple | list):
        return [encode(item, tensors, _join(path, str(i))) for i, item in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if tensors is not None and isinstance(value, torch.Tensor):
        tensors[path] = value.detach().contiguous().cpu()
        return {"tensor": path}
    raise SpecificationError(f"{path or 'the value'} is a {type(value).__name__}, which has no place in a specification.")


def decode(
    data: Any, allowed: Iterable[type], hint: Any = Any, tensors: Mapping[str, Tensor] | None = None, path: str = ""
) -> Any:
    """The value that `encode` turned into `data`, checked against the type `hint`. Raises SpecificationError."""
    known: dict[str, type] = {}
    for cls in allowed:
        if known.setdefault(cls.__name__, cls) is not cls:
            raise SpecificationError(f"two types are called {cls.__name__}: rename yours.")
    return _decode(data, known, hint, tensors or {}, path)


def own_types(value: Any, allowed: Iterable[type]) -> tuple[type, ...]:
    """The types in `value`, a tree of dataclasses and tuples, that the list lacks: the user's own."""
    return tuple(dict.fromkeys(cls for cls in _types(value) if cls not in allowed))


def check_round_trip(value: Any, allowed: Iterable[type], hint: Any = Any, path: str = "") -> None:
    """Raises SpecificationError, in one line, unless `value` comes back from a file as it is."""
    tensors: dict[str, Tensor] = {}
    data = json.loads(json.dumps(encode(value, tensors, path)))
    try:
        back = decode(data, allowed, hint, tensors, path)
    except SpecificationError as error:
        raise SpecificationError(f"what is trained could not be opened again: {error}") from None
    changed = _changed(value, back, path)
    if changed is not None:
        raise SpecificationError(
            f"{changed} does not come back from a file as it was: settings are numbers, words, tuples of them, and frozen "
            "dataclasses whose fields are those of their __init__."
        )


def _types(value: Any) -> Iterator[type]:
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        value = [getattr(value, f.name) for f in fields(value)]
    if isinstance(value, tuple | list):
        for item in value:
            yield from _types(item)


def _changed(value: Any, back: Any, path: str) -> str | None:
    """The path of the first entry in which `back` is not `value`."""
    if isinstance(value, torch.Tensor):
        return None if isinstance(back, torch.Tensor) and torch.equal(value, back) else path
    if is_dataclass(value) and type(value) is type(back):
        parts = [(getattr(value, f.name), getattr(back, f.name), _join(path, f.name)) for f in fields(value)]
    elif isinstance(value, tuple) and isinstance(back, tuple) and len(value) == len(back):
        parts = [(a, b, _join(path, str(i))) for i, (a, b) in enumerate(zip(value, back, strict=True))]
    else:
        return None if value == back else path
    return next((found for found in (_changed(*part) for part in parts) if found is not None), None)


def _decode(data: Any, known: dict[str, type], hint: Any, tensors: Mapping[str, Tensor], path: str) -> Any:
    where = path or "the specification"
    value: Any
    if isinstance(data, dict) and set(data) == {"tensor"}:
        name = data["tensor"]
        if not isinstance(name, str) or name not in tensors:
            raise SpecificationError(f"{where} refers to the tensor {repr(name)[:80]}, which is missing.")
        value = tensors[name]
    elif isinstance(data, dict):
        value = _dataclass(data, known, tensors, path)
    elif isinstance(data, list):
        (item, *_) = get_args(_plain(hint, tuple) or hint) or (Any,)
        value = tuple(_decode(entry, known, item, tensors, _join(path, str(i))) for i, entry in enumerate(data))
    elif isinstance(data, str) and _plain(hint, Path):
        value = Path(data)
    elif isinstance(data, int) and not isinstance(data, bool) and _plain(hint, float) and not _plain(hint, int):
        value = float(data) if abs(data) < 2**1000 else math.inf
    else:
        value = data
    if isinstance(value, str | Path) and (len(str(value)) > LONGEST or CONTROL.search(str(value))):
        raise SpecificationError(
            f"{where} is {repr(str(value))[:80]}, expected at most {LONGEST} characters, none for control."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecificationError(f"{where} is {value}, expected a finite number.")
    if not _fits(value, hint):
        shown = type(value).__name__ if is_dataclass(value) else repr(data)[:80]
        raise SpecificationError(f"{where} is {shown}, expected {_name(hint)}.")
    return value


def _dataclass(data: dict, known: dict[str, type], tensors: Mapping[str, Tensor], path: str) -> Any:
    where = path or "the specification"
    name = data.get("type")
    if not isinstance(name, str) or name not in known:
        raise SpecificationError(
            f"{where} has the type {repr(name)[:80]}, expected one of this project's, or one of your own that is named: "
            "open_run(folder, types=[...]), or --types with the Python file that defines it."
        )
    cls = known[name]
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise SpecificationError(
            f"{name} has annotations that cannot be read outside of where it is defined: {error}."
        ) from None
    names = [f.name for f in fields(cls)]
    unknown, missing = sorted(set(data) - {"type", *names}), [n for n in names if n not in data]
    if unknown:
        raise SpecificationError(
            f"{where} ({name}) has the unknown entries {[n[:40] for n in unknown[:3]]}; known are {names}."
        )
    if missing:
        raise SpecificationError(f"{where} ({name}) lacks the entries {missing}.")
    values = {n: _decode(data[n], known, hints[n], tensors, _join(path, n)) for n in names}
    try:
        return cls(**values)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise SpecificationError(f"{where} ({name}): {str(error)[:400]}") from None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _options(hint: Any) -> tuple:
    return get_args(hint) if get_origin(hint) in (Union, builtin_types.UnionType) else (hint,)


def _plain(hint: Any, kind: type) -> Any:
    """The option of `hint` that is `kind` (or a parametrised `kind`), else None."""
    return next((option for option in _options(hint) if option is kind or get_origin(option) is kind), None)


def _fits(value: Any, hint: Any) -> bool:
    return any(_fits_one(value, option) for option in _options(hint))


def _fits_one(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        items = get_args(hint)
        if not isinstance(value, tuple):
            return False
        if len(items) == 2 and items[1] is Ellipsis:
            return all(_fits(item, items[0]) for item in value)
        return len(items) == len(value) and all(_fits(item, kind) for item, kind in zip(value, items, strict=True))
    if getattr(origin or hint, "_is_protocol", False):
        return is_dataclass(value) and isinstance(value, origin or hint)
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, origin or hint)


def _name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    return " or ".join(getattr(option, "__name__", str(option)) for option in _options(hint))
