"""What moves a training along its plan: its steps, or the clock."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from restore.storage.specification import encode
from restore.training.budget import YEAR, Budget
from restore.training.estimate import Estimate, come_to
from restore.training.settings import MOST
from restore.training.trainer import Trainer

GROWTH = 1.25
"""A step goes so much further than the last, at most: where much time is lost at once, the rate still comes down smoothly."""
SETTLED = 6
"""Moves before the pace of a GPU is measured: kernels are loaded, and steps that are captured are recorded (capture.WARM)."""
AGREE = 10
"""So often processes agree on the steps that are left, in steps."""


def now() -> float:
    """Seconds, by a clock that does not jump."""
    return time.monotonic()


class Steps:
    """A training of as many steps as its plan has: each moves the place on it by 1."""

    def begin(self, trainer: Trainer, expected: Estimate, sketch: Callable[[], object], walks: tuple[int, int]) -> Estimate:
        """What is expected of the training. `sketch` makes a picture in one sampling step; previews, and the picture at the
        end, take as many as `walks` says."""
        return expected

    def advance(self, trainer: Trainer) -> float:
        """How far along the plan the next step goes."""
        return 1

    def affords(self, trainer: Trainer) -> bool:
        """Whether there is time for previews."""
        return True

    @contextmanager
    def preview(self) -> Iterator[None]:
        """What happens inside is a preview."""
        yield

    def stored(self, specification: dict[str, Any], trainer: Trainer) -> dict[str, Any]:
        """What a checkpoint says of the run."""
        return specification

    def bar(self, trainer: Trainer) -> tqdm:
        """The bar that shows how far the training is."""
        steps, is_main = trainer.settings.steps, trainer.processes.is_main
        return tqdm(total=steps, initial=trainer.step, desc="training", unit="step", dynamic_ncols=True, disable=not is_main)

    def show(self, bar: tqdm, trainer: Trainer) -> None:
        """Brings the bar to where the training is."""
        bar.update(trainer.step - bar.n)


class Clock(Steps):
    """A training that ends when its minutes are over, on a machine of any speed, and one that changes.

    With every step the place p on the plan of S steps moves by

        a = (S - p) / n,    n = (deadline - now - pictures to come) / pace,

    rounded, at least 1; the pace is the mean of the last steps. At a constant pace a stays S/N, and the training is that of
    `settings.stretched(N)`; a machine that becomes slower makes longer moves, up to `GROWTH` times the last. It ends at p = S,
    where the rate has come down. Pictures (previews and the last one) are expected to take as long as the last preview for each
    of their sampling steps; where they would take more than half of the minutes, previews are skipped.

    `extends`: the plan becomes that of the steps so far and of those that the minutes are expected to bring.
    """

    def __init__(self, budget: Budget, extends: bool = False) -> None:
        self.minutes = budget.minutes
        self.started = now() - 60 * budget.spent
        self.extends = extends
        self.paused = 0.0
        self.moves = 0
        self.move = 0.0  # the last of them

    def begin(self, trainer: Trainer, expected: Estimate, sketch: Callable[[], object], walks: tuple[int, int]) -> Estimate:
        if trainer.device.type == "cuda":  # whose first picture takes many times as long: its kernels are loaded
            sketch()
            come_to(trainer.device)
        before = now()
        sketch()
        self.sampling_step, self.walks = now() - before, walks
        self.expected = expected.seconds
        self.ticks: deque[float] = deque(maxlen=max(AGREE, trainer.settings.log_every) + 1)  # a GPU is waited for once a line
        self.left = self._agreed(trainer)
        if self.extends:
            trainer.settings = replace(trainer.settings, steps=trainer.step + self.left)
        return expected._replace(steps=self.left, minutes=self.minutes - self.spent / 60)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return now() - self.started

    @property
    def pace(self) -> float:
        """Seconds of a step, lately."""
        return (self.ticks[-1] - self.ticks[0]) / (len(self.ticks) - 1) if len(self.ticks) > 1 else self.expected

    def affords(self, trainer: Trainer) -> bool:
        return self._pictures(trainer) <= 30 * self.minutes

    def reserve(self, trainer: Trainer) -> float:
        """Seconds that the pictures to come will take."""
        last = self.sampling_step * self.walks[1]
        return self._pictures(trainer) if self.affords(trainer) else min(last, 30 * self.minutes)

    def _pictures(self, trainer: Trainer) -> float:
        """Seconds for the previews to come, one of them at the end, and for the last picture."""
        every = trainer.settings.preview_every
        previews = math.ceil(trainer.settings.steps / every) - int(trainer.place // every)
        return self.sampling_step * (previews * self.walks[0] + self.walks[1])

    def advance(self, trainer: Trainer) -> float:
        if trainer.device.type == "cuda" and self.moves <= SETTLED:
            self.ticks.clear()
        self.ticks.append(now() - self.paused)
        agrees = trainer.processes.count == 1 or self.moves % AGREE == 0
        self.left = self._agreed(trainer) if agrees else max(1, self.left - 1)
        move = (trainer.settings.steps - trainer.place) / self.left
        self.move = min(move, GROWTH * self.move) if self.moves > 1 else move  # before the second the pace is an estimate
        self.moves += 1
        return self.move

    @contextmanager
    def preview(self) -> Iterator[None]:
        before = now()
        yield
        self.paused += now() - before
        self.sampling_step = (now() - before) / self.walks[0]

    def stored(self, specification: dict[str, Any], trainer: Trainer) -> dict[str, Any]:
        """With the plan stretched to the steps so far and those that are left; at the end these are none."""
        steps, place = trainer.settings.steps, trainer.place
        left = max(1, round((steps - place) / self.move)) if place < steps else 0
        total = min(MOST, trainer.step + left)
        budget = Budget(self.minutes, min(self.spent / 60, 2 * YEAR), total * (place / steps))
        recipe = {**specification["recipe"], "training": encode(trainer.settings.stretched(total))}
        return {**specification, "recipe": recipe, "clock": encode(budget)}

    def bar(self, trainer: Trainer) -> tqdm:
        text = "{l_bar}{bar}| {remaining} left{postfix}"
        total, is_main = 60 * self.minutes, trainer.processes.is_main
        return tqdm(desc="training", total=total, initial=self.spent, bar_format=text, dynamic_ncols=True, disable=not is_main)

    def show(self, bar: tqdm, trainer: Trainer) -> None:
        """In seconds of those that are there for steps and previews."""
        spent = self.spent
        bar.total = max(spent, 60 * self.minutes - self.reserve(trainer))
        bar.update(spent - bar.n)

    def _agreed(self, trainer: Trainer) -> int:
        """The steps that are left, by the clock of the first process."""
        return trainer.processes.broadcast(lambda: self._count(trainer))

    def _count(self, trainer: Trainer) -> int:
        left = 60 * self.minutes - self.spent - self.reserve(trainer)
        return min(max(1, math.floor(left / max(self.pace, 1e-9) + 0.5)), max(1, MOST - trainer.step))
