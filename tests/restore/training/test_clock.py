"""Training by the clock, on a machine whose time is made up: no network is trained here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import torch

from restore import Training
from restore.machine.processes import ALONE, Processes
from restore.storage.specification import decode
from restore.training import clock
from restore.training.budget import Budget
from restore.training.clock import AGREE, Clock
from restore.training.estimate import Estimate

PLAN = Training(steps=2500, warmup=75, rate=2e-3, decay="cosine", ema=0.9928, save_every=500, preview_every=10**6)


@dataclass
class Machine:
    """A trainer, as far as the clock knows it, and the time that its steps take."""

    settings: Training = PLAN
    processes: Processes = ALONE
    step: int = 0
    place: float = 0
    time: float = 1000.0
    moves: list[float] = field(default_factory=list)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rates: list[float] = field(default_factory=list)

    def train(self, plan: Clock, seconds, preview: float = 0.0, walk: int = 20, until: float = math.inf) -> None:
        """To the end, or until `until`: `seconds(time)` a step, previews of 20 sampling steps that take `preview`, and at the
        end a picture of `walk` sampling steps."""
        plan.begin(self, Estimate(0, seconds(self.time), 0, 0), lambda: self.passes(preview / 20), (20, walk))
        every = self.settings.preview_every
        while self.place < self.settings.steps and self.time < until:
            before, move = self.place, plan.advance(self)
            self.moves.append(move)
            self.rates.append(self.settings.rate_at(before, move))
            self.passes(seconds(self.time))
            self.step, self.place = self.step + 1, self.place + move
            if self.place // every > before // every or self.place == self.settings.steps:
                with plan.preview():
                    self.passes(preview)
        if self.place == self.settings.steps:
            self.passes(preview / 20 * walk)

    def passes(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(clock, "now", lambda: made.time)
    return made


def slowing(time: float) -> float:
    """A tenth of a second a step in the first minute, after that twice as much."""
    return 0.1 if time < 1060 else 0.2


def falls_to_nothing(machine: Machine) -> bool:
    after = [rate for place, rate in zip(_places(machine), machine.rates, strict=True) if place >= PLAN.warmup]
    return all(a >= b for a, b in pairwise(after)) and after[-1] < 1e-4 * PLAN.rate


def _places(machine: Machine) -> list[float]:
    return [sum(machine.moves[:k]) for k in range(len(machine.moves))]


def test_at_a_constant_pace_it_is_the_stretched_plan(machine):
    """1000 steps of a quarter of a second: rates and averages of the plan for 1000 steps, within 1e-12."""
    machine.train(Clock(Budget(250 / 60)), lambda time: 0.25)
    planned = PLAN.stretched(1000)
    assert machine.step == 1000 and machine.time == 1250 and machine.place == PLAN.steps
    assert machine.rates == pytest.approx([planned.rate_at(k) for k in range(1000)], abs=1e-12 * PLAN.rate, rel=0)
    assert [1 - (1 - PLAN.ema) * move for move in machine.moves] == pytest.approx([planned.ema] * 1000, abs=1e-12, rel=0)


def test_a_machine_that_becomes_slower_ends_on_time(machine):
    machine.train(Clock(Budget(2.0)), slowing)
    assert abs(machine.time - 1120) < 2 * 0.2 and machine.step == pytest.approx(600 + 300, abs=3)
    assert falls_to_nothing(machine)


def test_the_average_reaches_back_over_the_same_share_of_the_plan(machine):
    """Of what was before the last 1/(1 - ema) of the plan, 1/e is left, as with steps that are counted."""
    machine.train(Clock(Budget(2.0)), slowing)
    start = PLAN.steps - 1 / (1 - PLAN.ema)
    left = math.prod(
        1 - (1 - PLAN.ema) * move for place, move in zip(_places(machine), machine.moves, strict=True) if place >= start
    )
    assert left == pytest.approx(math.exp(-1), rel=0.03)


def test_time_that_is_lost_at_once(machine):
    """The rate comes down all the same, over a few steps more than there was time for."""
    late = lambda time: 100.0 if 1060 <= time < 1061 else 0.1  # noqa: E731
    machine.train(Clock(Budget(2.0)), late)
    assert 600 < machine.step < 640
    assert all(b < 1.2501 * a for a, b in pairwise(machine.moves))
    assert machine.rates[-1] < 0.03 * PLAN.rate


def test_a_machine_that_becomes_faster_takes_more_steps(machine):
    machine.train(Clock(Budget(2.0)), lambda time: 0.2 if time < 1060 else 0.1)
    assert abs(machine.time - 1120) < 0.2 and machine.step > 890 and falls_to_nothing(machine)


def test_the_first_steps_of_a_gpu_are_no_pace(machine, monkeypatch):
    """They load kernels, and record one: a plan of 6000 steps in a minute does not run away meanwhile."""
    monkeypatch.setattr(clock, "come_to", lambda device: None)
    seconds = iter([0.01, 0.8, 0.3, 0.3, 0.4])  # the first by the trial
    machine.device, machine.settings = torch.device("cuda"), replace(PLAN, steps=6000)
    machine.train(Clock(Budget(1.0)), lambda time: next(seconds, 0.01), until=1003)
    assert max(machine.moves[:10]) < 1.2 * machine.moves[-1]


def test_pictures_are_in_the_time(machine):
    """Four previews of 3 s, one of them at the end, and a last picture of 3.75 s."""
    machine.settings = replace(PLAN, preview_every=625)
    machine.train(Clock(Budget(2.0)), slowing, preview=3.0, walk=25)
    assert abs(machine.time - 1120) < 2 * 0.2 and falls_to_nothing(machine)


def test_pictures_take_half_of_the_time_at_most(machine):
    machine.train(Clock(Budget(2.0)), lambda time: 0.1, preview=20.0, walk=1000)
    assert machine.step == pytest.approx((60 - 1) / 0.1, abs=2) and falls_to_nothing(machine)


def test_a_moment_is_one_step(machine):
    machine.train(Clock(Budget(1e-9)), lambda time: 1.0)
    assert machine.step == 1 and machine.place == PLAN.steps


@dataclass(frozen=True)
class Two(Processes):
    """The first of two, which counts how often they agree."""

    agreed: list[int] = field(default_factory=list)

    def broadcast(self, make):
        self.agreed.append(make())
        return self.agreed[-1]


def test_processes_agree_now_and_then(machine):
    machine.processes = Two(0, 2)
    machine.train(Clock(Budget(2.0)), slowing)
    assert abs(machine.time - 1120) < 5 * 0.2 and falls_to_nothing(machine)
    assert len(machine.processes.agreed) == 1 + math.ceil(machine.step / AGREE)


def test_what_is_stored(machine):
    """A plan of steps that are not there yet, until the end; the same share of it; and the minutes that have passed."""
    plan = Clock(Budget(2.0))
    machine.train(plan, slowing, until=1030)
    stored = plan.stored({"recipe": {"prediction": "v"}, "size": [3, 8, 8]}, machine)
    training = decode(stored["recipe"]["training"], (type(PLAN), type(PLAN.condition_dropout), type(PLAN.times)))
    assert stored["recipe"]["prediction"] == "v" and stored["size"] == [3, 8, 8]
    assert training == PLAN.stretched(1200) and machine.step == 300
    budget = decode(stored["clock"], (Budget,), Budget)
    assert budget.minutes == 2 and budget.spent == pytest.approx(0.5, abs=0.01) and budget.place == pytest.approx(300)
    machine.train(plan, slowing)
    stored = plan.stored({"recipe": {}}, machine)
    assert stored["recipe"]["training"]["steps"] == machine.step == stored["clock"]["place"]


def test_interrupted_it_has_the_minutes_that_are_left(machine):
    plan = Clock(Budget(2.0))
    machine.train(plan, slowing, until=1045)
    stored = plan.stored({"recipe": {}}, machine)["clock"]
    stop, before, settings = machine.step, machine.rates[-1], PLAN.stretched(1200)
    machine.passes(10_000)  # nobody trains
    machine.settings, machine.place = settings, stored["place"]
    machine.train(Clock(decode(stored, (Budget,), Budget)), lambda time: 0.1)
    assert machine.rates[stop] == pytest.approx(before, rel=0.01) and machine.moves[stop] == pytest.approx(1, abs=0.01)
    assert machine.step == pytest.approx(1200, abs=2) and machine.time == pytest.approx(11_120, abs=0.2)
    assert machine.rates[-1] < 1e-4 * PLAN.rate


def test_more_minutes_make_a_longer_plan(machine):
    """600 steps, and those of another minute: the rate is that of 1200 steps."""
    machine.settings = replace(PLAN, steps=600)
    machine.step = machine.place = 600
    machine.train(Clock(Budget(1.0), extends=True), lambda time: 0.1)
    longer = replace(PLAN, steps=1200)
    assert machine.settings == longer and machine.step == 1200
    assert machine.rates == pytest.approx([longer.rate_at(k) for k in range(600, 1200)], abs=1e-12)


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"minutes": math.nan}, {"minutes": 1e9}, {"spent": -1.0}, {"place": -1.0}])
def test_bad_budgets(wrong):
    with pytest.raises(ValueError, match="minutes is a time > 0, of at most a year|of Budget is 0 to"):
        Budget(**{"minutes": 1.0} | wrong)
