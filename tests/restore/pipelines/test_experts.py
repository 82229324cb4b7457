"""Experts by severity: each restores its own, together they are one pipeline; trained from a run, opened from a folder."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import torch

from degrade import RectifiedFlow, seeded
from models import Condition, DDPMUNetConfig
from recipes import experts as recipe
from recipes import simple_diffusion
from restore import Interval, open_run, save_image, train
from restore.pipelines.experts import EDGES, Experts, experts, open_experts
from restore.training.trainer import Trainer
from tests.tiny import short


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("experts")
    for i in range(4):
        save_image(torch.rand(3, 16, 16, generator=seeded(i)) * 2 - 1, home / f"images/{i}.png")
    whole = simple_diffusion.recipe(home / "images")
    whole = replace(short(whole), data=replace(whole.data, size=16, reduce=0), stem=None)
    train(whole, home / "run", "cpu")
    return open_run(home / "run", "cpu")


def test_each_restores_its_own():
    nets = [lambda x, t, k=k: x * 0 + 10 * k + t[:, None, None, None] for k in range(3)]
    both = Experts(tuple(nets), (0.3, 0.6))
    t = torch.tensor([0.1, 0.3, 0.31, 0.6, 0.7, 1.0])
    torch.testing.assert_close(both(torch.zeros(6, 1, 2, 2), t)[:, 0, 0, 0], t + torch.tensor([0.0, 0, 10, 10, 20, 20]))


def test_a_condition_goes_with_its_images():
    def net(x, t, condition):
        return x + condition.label[:, None, None, None]

    both = Experts((net, net), (0.5,))
    label = torch.arange(4)
    out = both(torch.zeros(4, 1, 1, 1), torch.tensor([0.9, 0.1, 0.8, 0.2]), Condition(label=label))
    assert torch.equal(out.flatten(), label.float())


def test_the_same_network_twice_is_that_network(run):
    both = experts([run, run], [0.5])
    torch.testing.assert_close(both.generate(seed=3, progress=False), run.generate(seed=3, progress=False))


def test_training_begins_with_the_run(run, tmp_path):
    """At a rate of next to nothing its weights stay; at another, each expert's are its own, and it saw its severities alone."""
    still = recipe.recipe(run.recipe, 0.5, 1.0, steps=1)
    assert still.training.times == Interval(0.5, 1.0) and still.training.rate == run.recipe.training.rate / 2
    still = replace(still, training=replace(still.training, rate=1e-12, warmup=0))
    stayed = dict(train(still, tmp_path / "still", "cpu", start=run.folder).restorer.network.named_parameters())
    for name, p in run.restorer.network.named_parameters():
        torch.testing.assert_close(stayed[name], p, rtol=0, atol=1e-6)
    t = Interval(0.5, 1.0).severities(torch.arange(8) / 8)
    assert float(t.min()) > 0.5 and float(t.max()) == 1


def test_the_command(run, tmp_path, capsys):
    recipe.main(["train", str(run.folder), "--expert-steps", "2", "--out", str(tmp_path / "e"), "--device", "cpu"])
    recipe.main(["sample", str(tmp_path / "e"), "--count", "2", "--device", "cpu", "--steps", "2"])
    assert len(list((tmp_path / "e/samples").iterdir())) == 2
    both = open_experts(tmp_path / "e", "cpu")
    low, high = (open_run(tmp_path / f"e/{k}", "cpu") for k in range(2))
    x = torch.randn(2, 3, 16, 16, generator=seeded(1))
    with torch.no_grad():
        for one, t in ((low, 0.4), (high, 0.6)):
            times = torch.full((2,), t)
            assert torch.equal(both.restorer(x, times), one.restorer(x, times))
        assert not torch.equal(low.restorer(x, times), high.restorer(x, times))
    assert "expert 1: severities 0.5 to 1" in capsys.readouterr().out


def test_interrupted_ones_are_gone_on_with(run, tmp_path, capsys, monkeypatch):
    """At the first that is stopped, by the command that it says; sampled when all are there."""
    home = tmp_path / "e"
    words = ["train", str(run.folder), "--expert-steps", "3", "--out", str(home), "--device", "cpu"]
    step = Trainer.train_step

    def stopped(self, *args):
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_step", stopped)
        recipe.main(words)
    said = capsys.readouterr().out
    assert "stopped and saved at step 1 of 3; go on with: " in said and f"--expert-steps 3 --device cpu --out {home}" in said
    assert not (home / "1").exists()
    with pytest.raises(ValueError, match="has no expert 1 yet: experts.py train with --out .* goes on with them"):
        open_experts(home, "cpu")
    with pytest.raises(ValueError, match=r"holds experts with --edges 0\.5: name those to go on, or another --out"):
        recipe.main([*words, "--edges", ".3"])
    recipe.main(words)
    assert [open_run(home / str(k), "cpu").step for k in range(2)] == [3, 3]
    assert open_experts(home, "cpu").generate(progress=False).shape == (1, 3, 16, 16)


def test_bad_input(run, tmp_path):
    for edges in ((), (0.0,), (1.0,), (0.6, 0.4), (float("nan"),)):
        with pytest.raises(ValueError, match="rise from above 0 to below 1"):
            experts([run] * (len(edges) + 1), edges)
    with pytest.raises(ValueError, match="lie between 2 experts, got 3"):
        experts([run] * 3, (0.5,))
    with pytest.raises(ValueError, match="do not undo the same in the same way"):
        experts([run, replace(run, degradation=RectifiedFlow())], (0.5,))
    with pytest.raises(ValueError, match=f"holds no experts: there is no {EDGES} in it"):
        open_experts(run.folder, "cpu")
    (tmp_path / EDGES).write_text('{"edges": [2.0]}')
    with pytest.raises(ValueError, match="rise from above 0 to below 1"):
        open_experts(tmp_path, "cpu")
    with pytest.raises(ValueError, match="an interval of severities rises"):
        Interval(0.5, 0.5)
    other = replace(run.recipe, network=DDPMUNetConfig(3, 16, (1, 2), blocks=1, attention=(), dropout=0.0, groups=4))
    with pytest.raises(ValueError, match="has another network"):
        train(other, tmp_path / "other", "cpu", start=run.folder)
    assert not (tmp_path / "other" / "checkpoints").exists()
