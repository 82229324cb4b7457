"""The choice between memory layouts and precisions, by the seconds that steps in them take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from restore.restorer import Precision
from restore.training.settings import Training

TURNS, STEPS = 6, 2
"""Each candidate has so many turns of so many steps, the very first of them uncounted."""
HOPELESS, LOST = 3.0, 1.5
"""Who takes so many times as long as the fastest leaves after the first turn (the usual one: the second), or a later one."""
LAYOUT, PRECISION = 1.1, 1.15
"""So many times as fast have another layout, and bfloat16, to be: near 1 two starts would differ by chance."""

Layout = Literal["channels-last", "contiguous"]


class Choice(NamedTuple):
    """What a network may be trained in."""

    layout: Layout
    precision: Precision

    def __str__(self) -> str:
        return f"{self.layout} in {self.precision}"

    def named(self, training: Training) -> Training:
        """The settings that name this choice."""
        return replace(training, layout=self.layout, precision=self.precision)


Turns = Mapping[Choice, Sequence[float]]


def timed(
    candidates: Sequence[Choice],
    step: Callable[[Choice], bool],
    limit: Callable[[float], float],
    now: Callable[[], float] = time.perf_counter,
) -> dict[Choice, list[float]]:
    """Seconds of a step of each candidate, the least of each of its turns; the first is the usual one.

    step: takes one, and says whether it was a sound one; a candidate whose step fails or is not sound is left out.
    limit: seconds that all may take together, where a step takes so many.
    """
    racing, turns = list(candidates), dict[Choice, list[float]]()
    begun, seconds = now(), 0.0
    for turn in range(TURNS):
        for choice in list(racing):
            steps: list[float] = []
            for _ in range(STEPS):
                fastest = min(map(min, turns.values()), default=seconds)
                if seconds and now() - begun + min(turns.get(choice, [fastest])) > limit(fastest):
                    return turns
                before = now()
                if not _sound(step, choice):
                    racing.remove(choice)
                    turns.pop(choice, None)
                    break
                seconds = now() - before
                steps.append(seconds)
            else:
                turns.setdefault(choice, []).append(min(steps if turn else steps[1:]))
        slowest = (LOST if turn else HOPELESS) * min(map(min, turns.values()), default=0.0)
        stays = candidates[0] if turn == 0 else None
        racing = [choice for choice in racing if choice == stays or min(turns[choice]) <= slowest]
        if len(racing) < 2:
            break
    return turns


def chosen(turns: Turns, usual: Choice) -> Choice:
    """The fastest that had two turns; but the usual layout, and float32, unless another is faster by its margin."""
    turns = {choice: seconds for choice, seconds in turns.items() if len(seconds) > 1}

    def best(precision: Precision) -> Choice | None:
        found = {choice: seconds for choice, seconds in turns.items() if choice.precision == precision}
        if not found:
            return None
        fastest, kept = min(found, key=lambda choice: min(found[choice])), Choice(usual.layout, precision)
        return kept if kept in found and gain(found[kept], found[fastest]) < LAYOUT else fastest

    full, half = best("float32"), best("bfloat16")
    if full and half:
        return half if gain(turns[full], turns[half]) >= PRECISION else full
    return full or half or usual


def gain(slow: Sequence[float], fast: Sequence[float]) -> float:
    """So many times as fast is `fast`: by the least of all turns, or by the median of each turn's ratio, whichever is less.

    On a machine that is busy with other things, chance has to fool both.
    """
    return min(min(slow) / min(fast), statistics.median(a / b for a, b in zip(slow, fast, strict=False)))


def told(turns: Turns, usual: Choice) -> str:
    """The choice and what it gains, in a line; nothing where there was nothing to choose from."""
    choice = chosen(turns, usual)
    others = {
        other: min(seconds) / min(turns[choice]) for other, seconds in turns.items() if choice in turns and other != choice
    }
    if not others:
        return ""
    line = f"layout {choice.layout}, precision {choice.precision}"
    if usual in others:
        return f"{line} ({gain(turns[usual], turns[choice]):.2f} times as fast as {usual})"
    other = min(others, key=others.__getitem__)
    margin = ", within the margin" if others[other] < 1 else ""
    return f"{line} ({other} takes {others[other]:.2f} times as long{margin})"


def _sound(step: Callable[[Choice], bool], choice: Choice) -> bool:
    try:
        return step(choice)
    except Exception:  # of memory, or of a kernel that the machine lacks: the others remain
        return False
