"""What all settings ask of their numbers: operators, schedules, samplers, training, commands."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from degrade.random import check_seed

LARGEST = 1e9
"""No count of steps, images or pixels is larger, and no rate or weight."""


def check_numbers(settings: Any) -> None:
    """Raises ValueError, naming the field, unless every number of a dataclass, alone or in a tuple, is finite and of at most
    `LARGEST` in magnitude; and a field named seed a seed."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "seed":
            check_seed(value)
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not abs(number) <= LARGEST:
                raise ValueError(
                    f"{field.name} of {type(settings).__name__} is a finite number of at most {LARGEST:g}, "
                    f"got {str(number)[:40]}."
                )


def bounded(settings: object, **bounds: tuple[float, float]) -> None:
    """Raises ValueError unless each setting, or all numbers of a tuple, lie within (lowest, highest).

    Bounds that nothing sensible meets: settings may come from a stranger's file.
    """
    for name, (lowest, highest) in bounds.items():
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not lowest <= number <= highest:
                raise ValueError(f"{name} of {type(settings).__name__} is {lowest:g} to {highest:g}, got {str(number)[:40]}.")
