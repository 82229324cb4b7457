"""Layout and precision are chosen by seconds; here a machine's are made up."""

from __future__ import annotations

import pytest

from restore.training.choice import Choice, chosen, gain, timed, told

LAST, PLAIN = Choice("channels-last", "float32"), Choice("contiguous", "float32")
LAST16, PLAIN16 = Choice("channels-last", "bfloat16"), Choice("contiguous", "bfloat16")
ALL = [LAST, PLAIN, LAST16, PLAIN16]


class Machine:
    """A step in choice c takes seconds[c]; its first five times that; every nth of all ten times."""

    def __init__(self, *seconds: float, busy: int = 0) -> None:
        self.seconds = dict(zip(ALL, seconds, strict=False))
        self.busy = busy
        self.time = 0.0
        self.taken: list[Choice] = []

    def step(self, choice: Choice) -> bool:
        first = choice not in self.taken
        self.taken.append(choice)
        slow = 10 if self.busy and len(self.taken) % self.busy == 0 else 5 if first else 1
        self.time += slow * self.seconds[choice]
        return True

    def turns(self, limit=lambda step: 1000 * step):
        return timed(list(self.seconds), self.step, limit, lambda: self.time)

    def choice(self) -> Choice:
        return chosen(self.turns(), LAST)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((1.0, 2.2), LAST),
        ((2.2, 1.0), PLAIN),
        ((1.0, 1.5, 1.2, 2.0), LAST),
        ((1.5, 1.0, 0.8, 0.9), LAST16),
        ((1.0, 1.2, 0.9, 0.5), PLAIN16),
        ((1.05, 1.0), LAST),
        ((1.2, 1.0, 0.95, 0.9), PLAIN),
        ((1.0, 1.0, 0.9, 1.0), LAST),
        ((5.0, 1.0, 5.0, 0.8), PLAIN16),
    ],
)
@pytest.mark.parametrize("busy", [0, 7])
def test_the_fastest_by_its_margin(seconds, expected, busy):
    """A layout by 1.1, bfloat16 by 1.15; also on a machine that now and then does something else."""
    assert Machine(*seconds, busy=busy).choice() == expected


def test_chance_has_to_fool_the_least_and_the_median():
    assert gain([2.0, 2.0, 2.0], [1.0, 4.0, 4.0]) == 0.5
    assert gain([1.0, 4.0, 4.0], [1.0, 2.0, 2.0]) == 1.0
    assert gain([2.0, 2.0, 9.0], [1.0, 1.0]) == 2.0


def test_who_is_far_behind_leaves():
    """After a turn of two steps, or two turns; the usual one has two in any case."""
    machine = Machine(1.0, 1.3, 1.8, 4.0)
    machine.turns()
    assert [machine.taken.count(choice) for choice in ALL] == [12, 12, 4, 2]
    machine = Machine(9.0, 1.0)
    machine.turns()
    assert [machine.taken.count(choice) for choice in (LAST, PLAIN)] == [4, 4]


@pytest.mark.parametrize("limit", [0.5, 20.0, 50.0])
def test_the_limit_is_kept(limit):
    """But for a step of each that takes longer than was to be expected; with one turn alone nothing is chosen."""
    machine = Machine(2.0, 1.0)
    turns = machine.turns(lambda step: limit)
    assert machine.time <= limit + 10
    assert chosen(turns, LAST) == (PLAIN if limit > 40 else LAST)


@pytest.mark.parametrize(
    ("broken", "expected"), [({PLAIN16}, LAST16), ({PLAIN16, LAST16}, PLAIN), ({LAST}, PLAIN16), ({*ALL}, LAST)]
)
@pytest.mark.parametrize("how", [RuntimeError("out of memory"), MemoryError(), None], ids=["error", "memory", "not finite"])
@pytest.mark.parametrize("after", [0, 3])
def test_who_fails_is_left_out(broken, expected, how, after):
    """Whether it raises, or its loss is not finite; also later on. Where all fail it is the usual one."""
    machine = Machine(1.4, 1.0, 0.6, 0.5)

    def step(choice: Choice) -> bool:
        machine.step(choice)
        fails = choice in broken and machine.taken.count(choice) > after
        if fails and how is not None:
            raise how
        return not fails

    turns = timed(ALL, step, lambda step: 1000.0, lambda: machine.time)
    assert not broken & {*turns} and chosen(turns, LAST) == expected


def test_what_is_said():
    assert told({LAST: [1.4, 1.4], PLAIN16: [1.0, 1.0]}, LAST) == (
        "layout contiguous, precision bfloat16 (1.40 times as fast as channels-last in float32)"
    )
    assert told({LAST: [1.0, 1.0], PLAIN: [1.5, 1.5], LAST16: [3.0]}, LAST) == (
        "layout channels-last, precision float32 (contiguous in float32 takes 1.50 times as long)"
    )
    assert told({}, LAST) == told({LAST: [1.0]}, LAST) == ""
