"""What the numbers of a command may be: beyond it, the command is refused before it begins."""

from __future__ import annotations

from typing import Any

from degrade.checks import bounded

COUNT = (1, 10**6)  # of images
STEPS = (1, 100_000)  # of a walk back
SEED = (0, 2**63 - 1)
SIDE = (1, 65_536)  # of an image, pixels
WIDTH = (0, 1000)  # of what lies around something, pixels
NOISE = (0, 100)  # standard deviation
GUIDANCE = (0, 1000)
SHARE = (1e-6, 1)  # of an image, or of a degradation: a severity


def check_options(options: Any, **bounds: tuple[float, float]) -> None:
    """Raises ValueError unless each option lies within (lowest, highest), or is None, for a default that depends on something
    else; those of several numbers hold at least one."""
    given = {name: bound for name, bound in bounds.items() if getattr(options, name) is not None}
    for name in given:
        if getattr(options, name) == ():
            raise ValueError(f"{name} of {type(options).__name__} is one number or more, got none.")
    bounded(options, **given)
