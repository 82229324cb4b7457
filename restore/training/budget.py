"""The time that a training has, in minutes."""

from __future__ import annotations

from dataclasses import dataclass

from degrade.checks import bounded

YEAR = 366 * 24 * 60.0


@dataclass(frozen=True)
class Budget:
    """A training by the clock, as its checkpoints tell it: so that it goes on with the minutes that are left."""

    minutes: float
    """From its start to its end, previews and pictures included."""
    spent: float = 0.0
    """Minutes of them that have passed."""
    place: float = 0.0
    """On the plan of the training settings that it is stored with, in steps of that plan."""

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= YEAR:
            raise ValueError(f"minutes is a time > 0, of at most a year, got {self.minutes}.")
        bounded(self, spent=(0, 2 * YEAR), place=(0, 10**8))
