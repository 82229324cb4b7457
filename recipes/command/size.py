"""Sizes of images, as options of the command line."""

from __future__ import annotations

from typing import Annotated

import tyro

LARGEST_SIDE = 2**20
"""Pixels: more than any picture that could be held or written."""


def size_of(text: str) -> tuple[int, int]:
    """Height and width of 128x384. Raises ValueError in one line for anything else."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and len(side) < 20 and 0 < int(side) <= LARGEST_SIDE for side in sides):
        raise ValueError(f"a size is HEIGHTxWIDTH in pixels, such as 128x384, at most {LARGEST_SIDE} each; got {text[:60]!r}.")
    return int(sides[0]), int(sides[1])


_SPEC = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="HxW",
    instance_from_str=lambda args: size_of(args[0]),
    is_instance=lambda value: value is None or isinstance(value, tuple),
    str_from_instance=lambda value: [f"{value[0]}x{value[1]}" if value else "None"],
)
Size = Annotated[tuple[int, int], _SPEC]
"""Height and width of an image, written 128x384."""
OptionalSize = Annotated[tuple[int, int] | None, _SPEC]
"""The same, where there is a default that depends on something else."""
