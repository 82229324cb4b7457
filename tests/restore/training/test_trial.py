"""A trial names layout and precision in the recipe, and leaves nothing else behind; times here are made up."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace

import pytest
import torch

from restore.machine.processes import Processes
from restore.run import open_run, read_recipe
from restore.storage.checkpoint import open_checkpoint
from restore.storage.older import current
from restore.training import session, trial
from restore.training.choice import Choice
from restore.training.session import resume, train
from restore.training.trainer import Trainer
from restore.training.trial import Copy, decided
from tests.restore.training.test_session import interrupted_after, state
from tests.tiny import tiny

LAST, HALF = Choice("channels-last", "float32"), Choice("contiguous", "bfloat16")
MINUTES = 1.0
"""So that a run of any number of steps is long enough."""


@pytest.fixture
def recipe(photo):
    """A tiny one that leaves both open."""
    recipe = tiny(photo)
    return replace(recipe, training=replace(recipe.training, precision="auto", layout="auto"))


def named(recipe, choice: Choice):
    return replace(recipe, training=choice.named(recipe.training))


def fast(choice: Choice, monkeypatch) -> list[list[Choice]]:
    """The machine takes every step for real, and says that it is fast in `choice`; returns what will have been tried."""
    tried: list[list[Choice]] = []

    def timed(candidates, step, limit):
        tried.append(list(candidates))
        for candidate in 2 * candidates:
            assert step(candidate)
        return {candidate: [1.0 if candidate == choice else 2.0] * 2 for candidate in candidates}

    monkeypatch.setattr(trial, "timed", timed)
    monkeypatch.setattr(trial, "bfloat16_is_hopeless", lambda device: False)
    return tried


@pytest.fixture
def long(monkeypatch):
    """Runs of four steps are long enough for a trial."""
    monkeypatch.setattr(trial, "SHARE", 100.0)


def test_it_is_named_said_and_stored(recipe, tmp_path, monkeypatch, capsys, long):
    tried = fast(HALF, monkeypatch)
    run = train(recipe, tmp_path / "run", "cpu")
    assert "layout contiguous, precision bfloat16 (2.00 times as fast as channels-last in float32)\n" in capsys.readouterr().out
    assert len(tried) == 1 and len(tried[0]) == 4 and tried[0][0] == LAST
    stored = open_checkpoint(tmp_path / "run").run["recipe"]["training"]
    assert (stored["layout"], stored["precision"]) == HALF
    assert run.recipe.training == HALF.named(recipe.training) and run.restorer.precision == "bfloat16"
    assert not any(p.ndim == 4 and not p.is_contiguous() for p in run.restorer.network.parameters())


@pytest.mark.parametrize("choice", [LAST, HALF], ids=str)
def test_a_trial_leaves_no_trace(choice, recipe, tmp_path, monkeypatch, long):
    """A run whose trial chose is one that named the choice, bit for bit: weights, averages, moments; interrupted too."""
    fast(choice, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(trial, "timed", counting(trial.timed, patch))
        train(recipe, tmp_path / "auto", "cpu")
    assert open_checkpoint(tmp_path / "auto").step == 2
    resume(tmp_path / "auto", "cpu")
    monkeypatch.setattr(trial, "timed", None)
    train(named(recipe, choice), tmp_path / "named", "cpu")
    auto, expected = state(tmp_path / "auto"), state(tmp_path / "named")
    assert auto.keys() == expected.keys() and all(torch.equal(auto[name], value) for name, value in expected.items())
    sums = [open_checkpoint(tmp_path / name).sums["ema.safetensors"] for name in ("auto", "named")]
    assert sums[0] == sums[1]
    losses = [json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1]) for name in ("auto", "named")]
    assert losses[0]["step"] == losses[1]["step"] == 4


def counting(timed, patch):
    """The same trial; Ctrl-C comes in the second step after it."""

    def then(*args):
        found = timed(*args)
        interrupted_after(2, patch)
        return found

    return then


def test_what_is_named_is_not_tried(recipe, tmp_path, monkeypatch, long):
    tried = fast(HALF, monkeypatch)
    for layout, precision, count in [("contiguous", "auto", 2), ("auto", "bfloat16", 2), ("channels-last", "bfloat16", 0)]:
        asked = replace(recipe, training=replace(recipe.training, layout=layout, precision=precision))
        batches, _ = asked.open("cpu")
        got = decided(asked, batches, "cpu").training
        assert [len(candidates) for candidates in tried] == [count] * bool(count)
        assert layout in ("auto", got.layout) and precision in ("auto", got.precision)
        tried.clear()


def test_short_runs_and_shares_of_weights_are_as_usual(recipe, monkeypatch, capsys):
    """By the number of steps alone, so that these are the same at every start."""
    tried = fast(HALF, monkeypatch)
    batches, _ = recipe.open("cpu")
    assert decided(recipe, batches, "cpu").training == LAST.named(recipe.training)
    long = replace(recipe, training=replace(recipe.training, steps=534))
    assert decided(long, batches, "cpu").training == HALF.named(long.training) and len(tried) == 1
    sharded = replace(long, training=replace(long.training, shard=True, optimizer="adamw"))
    assert decided(sharded, batches, "cpu", Processes(0, 2)).training.precision == "float32"
    assert len(tried) == 1 and capsys.readouterr().out.count("layout") == 1


def test_bfloat16_without_instructions_for_it(recipe, monkeypatch):
    tried = fast(Choice("contiguous", "float32"), monkeypatch)
    monkeypatch.setattr(trial, "bfloat16_is_hopeless", lambda device: True)
    batches, _ = recipe.open("cpu")
    assert decided(recipe, batches, "cpu", minutes=MINUTES).training.layout == "contiguous"
    assert tried == [[LAST, Choice("contiguous", "float32")]]


def test_all_processes_take_the_choice_of_the_first(recipe, monkeypatch, capsys):
    """Each tries its share of the batch on its own, whatever its clock says; the first one speaks."""
    batches, _ = recipe.open("cpu")
    sent: list = []

    def broadcast(self, make):
        sent.extend([make()] if self.is_main else [])
        return sent[0]

    monkeypatch.setattr(Processes, "broadcast", broadcast)
    sizes = []
    monkeypatch.setattr(Trainer, "train_step", counted(Trainer.train_step, sizes))
    for rank, choice in enumerate([HALF, LAST]):
        fast(choice, monkeypatch)
        assert decided(recipe, batches, "cpu", Processes(rank, 2), MINUTES).training == HALF.named(recipe.training)
    assert set(sizes) == {1} and capsys.readouterr().out.count("layout contiguous, precision bfloat16") == 1


def counted(train_step, sizes):
    def step(self, batches, *args):
        sizes.append(self.settings.batch)
        return train_step(self, batches, *args)

    return step


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_copy_is_arranged_as_a_trainer_is(optimizer, recipe):
    """Layouts of weights, averages and moments, and the step; there and back."""
    recipe = replace(recipe, training=replace(recipe.training, optimizer=optimizer))
    batches, _ = recipe.open("cpu")
    for choice in (HALF, LAST):
        expected = named(recipe, choice).trainer("cpu")
        copy = Copy(recipe, batches, "cpu", 2)
        for other in (LAST, HALF, choice):
            copy.arrange(other)
        assert layouts(copy.trainer) == layouts(expected)
        losses = [made.train_step(batches)[0] for made in (copy.trainer, expected)]
        assert torch.equal(*losses) and layouts(copy.trainer) == layouts(expected)
        assert all(map(torch.equal, copy.trainer.parameters.values(), expected.parameters.values()))


def layouts(made: Trainer) -> list[tuple[int, ...]]:
    return [value.stride() for group in made.state().values() for value in group.values()]


def test_its_memory_is_given_back_and_no_random_number_taken(recipe, monkeypatch):
    fast(HALF, monkeypatch)
    seen = []
    build = Trainer.__init__

    def watched(self, *args, **options):
        build(self, *args, **options)
        seen.append(weakref.ref(self.network))

    monkeypatch.setattr(Trainer, "__init__", watched)
    batches, _ = recipe.open("cpu")
    before = torch.get_rng_state()
    decided(recipe, batches, "cpu", minutes=MINUTES)
    assert torch.equal(torch.get_rng_state(), before)
    gc.collect()
    assert len(seen) == 1 and seen[0]() is None


def test_what_does_not_fit_is_not_tried(recipe, monkeypatch):
    """The run says it then."""
    tried = fast(HALF, monkeypatch)
    monkeypatch.setattr(trial, "free_memory", lambda device: 0)
    batches, _ = recipe.open("cpu")
    assert decided(recipe, batches, "cpu", minutes=MINUTES).training == LAST.named(recipe.training) and not tried


def test_the_machine_itself(recipe, capsys):
    """Whatever it chooses, in some tens of milliseconds."""
    recipe = replace(recipe, training=replace(recipe.training, steps=2000))
    batches, _ = recipe.open("cpu")
    training = decided(recipe, batches, "cpu").training
    assert f"layout {training.layout}, precision {training.precision} (" in capsys.readouterr().out


def test_a_run_from_before_there_were_layouts(recipe, tmp_path, monkeypatch):
    """Is opened and gone on with; its precision, where that was auto, is float32."""
    recipe = named(recipe, LAST)
    train(recipe, tmp_path / "run", "cpu")
    checkpoint = open_checkpoint(tmp_path / "run")
    training = {key: value for key, value in checkpoint.run["recipe"]["training"].items() if key != "layout"}
    for channels_last, layout in [(True, "channels-last"), (False, "contiguous")]:
        older = {**checkpoint.run["recipe"], "training": {**training, "channels_last": channels_last, "precision": "auto"}}
        (tmp_path / "run.json").write_text(json.dumps({"recipe": older}))
        assert read_recipe(tmp_path / "run.json").training == replace(recipe.training, layout=layout, precision="auto")
        crafted = checkpoint._replace(run={**checkpoint.run, "recipe": older})
        monkeypatch.setattr("restore.run.open_checkpoint", lambda folder, crafted=crafted: crafted)
        assert open_run(tmp_path / "run").restorer.precision == "float32"
        monkeypatch.setattr(session, "open_checkpoint", lambda folder, crafted=crafted: crafted)
    for strange in [None, [], {}, {"training": 1}]:
        assert current(strange) == strange
    for strange in [{"channels_last": 1}, {"channels_last": True, "layout": 1}]:
        assert current({"training": strange}) == {"training": {**strange, "captured": False}}
