from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import replace

import pytest
import torch

from degrade import GaussianBlur, GaussianNoise
from models import PatchUNetConfig
from restore import Crops, Levels, Objective, Training
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from restore.training.loop import train
from restore.training.trainer import Trainer, TrainingError, clipped, severities

SETTINGS = Training(steps=6, batch=2, rate=1e-3, warmup=2, decay="cosine", clip=1.0, ema=0.9, log_every=2, save_every=3)


def trainer(settings: Training = SETTINGS, degradation=None, prediction="v") -> Trainer:
    torch.manual_seed(0)
    network = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel").build()
    return Trainer(network, degradation or GaussianNoise(), prediction, Objective(), settings)


@pytest.fixture
def batches(photo):
    return Crops(size=48, crop=16).open(photo)


def weights(made: Trainer) -> list[torch.Tensor]:
    return [p.detach().clone() for p in made.parameters.values()] + [a.clone() for a in made.ema.average]


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resumed_equals_uninterrupted(optimizer, batches, tmp_path):
    """Bitwise, weights and averages, from the checkpoint in the middle."""
    settings = replace(SETTINGS, optimizer=optimizer)
    whole = trainer(settings)
    assert train(whole, batches, tmp_path / "whole", {})
    resumed = trainer(settings)
    assert not same(weights(resumed), weights(whole))
    stopped = trainer(settings)
    draw, count = batches.draw, [0]

    def drawing(n, generator, shard):
        count[0] += 1
        if count[0] == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(n, generator, shard)

    assert train(stopped, batches._replace(draw=drawing), tmp_path / "stopped", {}) is False
    assert stopped.step == 3
    resumed.load(open_checkpoint(tmp_path / "stopped"))
    assert train(resumed, batches, tmp_path / "stopped", {})
    assert same(weights(resumed), weights(whole))


def test_sigterm_saves_too(batches, tmp_path):
    made = trainer()

    def drawing(n, generator, shard):
        os.kill(os.getpid(), signal.SIGTERM)
        return batches.draw(n, generator, shard)

    assert train(made, batches._replace(draw=drawing), tmp_path, {}) is False
    assert open_checkpoint(tmp_path).step == 1


def test_a_second_signal_stops_at_once(batches, tmp_path):
    """Also where the tests run in the background of a shell, which makes it ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def drawing(n, generator, shard):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return batches.draw(n, generator, shard)

    try:
        with pytest.raises(KeyboardInterrupt):
            train(trainer(), batches._replace(draw=drawing), tmp_path, {})
    finally:
        signal.signal(signal.SIGINT, before)


def test_metrics_checkpoints_and_previews(batches, tmp_path):
    previews = []
    made = trainer(replace(SETTINGS, preview_every=4, keep=1))
    train(made, batches, tmp_path, {"note": 1}, {"prior": torch.ones(2)}, lambda t: previews.append(t.step))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6] and all(line["loss"] > 0 for line in lines)
    assert previews == [4, 6]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000006"]
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.run["note"] == 1 and torch.equal(checkpoint.prior()["prior"], torch.ones(2))


def test_metrics_past_the_checkpoint_are_dropped_on_resume(batches, tmp_path):
    train(trainer(replace(SETTINGS, log_every=1)), batches, tmp_path, {})
    with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 7, "loss": 1}\n{"step": 8, "lo')
    made = trainer(replace(SETTINGS, log_every=1, steps=7))
    made.load(open_checkpoint(tmp_path))
    train(made, batches, tmp_path, {})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 7] and lines[-1]["loss"] != 1


def test_loss_falls(batches):
    made = trainer(replace(SETTINGS, steps=60, rate=3e-3), GaussianBlur(2.0), "residual")
    losses = [float(made.train_step(batches)[0]) for _ in range(60)]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_levels(batches):
    """Severities on the published grid."""
    made = trainer(replace(SETTINGS, times=Levels(4), batch=16))
    seen = []
    made.objective = lambda restorer, x0, t, latent: seen.append(t) or torch.zeros(1, requires_grad=True)
    made.loss(batches)
    assert set((seen[0] * 4).tolist()) <= {1.0, 2.0, 3.0, 4.0}


def broken_at(made: Trainer, steps) -> None:
    """The loss of these steps (0-based) is NaN."""
    objective = made.objective

    def sometimes(*args):
        return objective(*args) * (torch.nan if made.step in steps else 1.0)

    made.objective = sometimes


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_step_without_a_finite_gradient_is_left_out_and_counted(optimizer, batches, tmp_path):
    made = trainer(replace(SETTINGS, log_every=1, optimizer=optimizer))
    broken_at(made, {2})
    train(made, batches, tmp_path, {})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["skipped_steps"] for line in lines] == [0, 0, 1, 0, 0, 0]
    assert lines[2]["loss"] is None and all(p.isfinite().all() for p in weights(made))


@pytest.mark.parametrize("longest", [0.0, 0.5, 1e6])
def test_gradients_are_shortened_as_torch_does(longest):
    """Bit for bit, whatever their shapes, layouts and types."""
    shapes = [(3,), (16, 3, 3, 3), (), (8, 1)]
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for k, p in enumerate(parameters):
        p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(k))
    parameters[1].grad = parameters[1].grad.contiguous(memory_format=torch.channels_last)
    ours = [p.grad.clone() for p in parameters]
    expected = torch.nn.utils.clip_grad_norm_(parameters, longest or math.inf)
    assert torch.equal(clipped(ours, longest), expected)
    assert all(torch.equal(a, p.grad) for a, p in zip(ours, parameters, strict=True))
    assert clipped([torch.ones(4), torch.ones(5, dtype=torch.float64)], 1.0) == 3


def test_severities_are_uniform_and_evenly_spread():
    """Any 50 images in a row leave no gap of more than three times the mean one; over seeds each is uniform."""
    settings = Training(batch=5, seed=3)
    u = torch.cat([severities(settings, step) for step in range(7, 17)])
    gaps = u.sort().values.diff()
    assert u.min() >= 0 and u.max() < 1 and gaps.max() < 3 / 50 and gaps.min() > 0
    over_seeds = torch.cat([severities(replace(settings, seed=seed), 4) for seed in range(400)])
    histogram = over_seeds.histc(10, 0, 1) / len(over_seeds)
    assert (histogram - 0.1).abs().max() < 0.03
    assert torch.equal(severities(settings, 9), u[10:15])


def test_divergence_ends_the_run_and_keeps_the_weights(batches, tmp_path):
    made = trainer(replace(SETTINGS, steps=60, save_every=5, log_every=5))
    broken_at(made, set(range(7, 60)))
    with pytest.raises(TrainingError, match=r"the run diverged.*--training.rate 0.0003"):
        train(made, batches, tmp_path, {})
    assert made.step == 20 and open_checkpoint(tmp_path).step == 15
    resumed = trainer(replace(SETTINGS, steps=60))
    resumed.load(open_checkpoint(tmp_path))
    assert all(p.isfinite().all() for p in weights(resumed))


@pytest.mark.parametrize(("steps", "broken"), [(4, {1, 2, 3}), (1, {0}), (30, {21, 23, 24, 27, 29})])
def test_a_run_that_ends_diverged_is_no_success(steps, broken, batches, tmp_path):
    """Where half of the last ten steps, or of all, were left out; what was saved before is kept."""
    made = trainer(replace(SETTINGS, steps=steps, save_every=20, log_every=50))
    broken_at(made, broken)
    with pytest.raises(TrainingError, match=rf"{len(broken)} of the last {min(steps, 10)} gradients.*the run diverged"):
        train(made, batches, tmp_path, {})
    assert (tmp_path / "checkpoints").exists() == (steps > 20)


def test_a_last_step_that_is_left_out_is_no_divergence(batches, tmp_path):
    """Nor where the run is resumed for that step alone."""
    made = trainer()
    broken_at(made, {5})
    assert train(made, batches, tmp_path, {})
    import shutil

    shutil.rmtree(tmp_path / "checkpoints/step-00000006")
    made = trainer(replace(SETTINGS, steps=4))
    broken_at(made, {3})
    made.load(open_checkpoint(tmp_path))
    assert made.step == 3 and train(made, batches, tmp_path, {})


def test_averaged_weights_are_put_back(batches):
    made = trainer()
    made.train_step(batches)
    raw = weights(made)
    with made.averaged_weights() as restorer:
        assert same([p.detach() for p in made.parameters.values()], made.ema.average)
        assert not restorer.network.training
    assert same(weights(made), raw) and made.network.training


def test_checkpoint_of_another_network_is_refused(batches, tmp_path):
    train(trainer(replace(SETTINGS, steps=1)), batches, tmp_path, {})
    other = Trainer(PatchUNetConfig(channels=16, norm="pixel").build(), GaussianNoise(), "v", Objective(), SETTINGS)
    with pytest.raises(CheckpointError, match="does not hold the weights of its own network"):
        other.load(open_checkpoint(tmp_path))


def test_broken_checkpoints(batches, tmp_path):
    """Further damage: tests/restore/test_hostile_files.py."""
    made = trainer(replace(SETTINGS, steps=1))
    train(made, batches, tmp_path, {})
    folder = open_checkpoint(tmp_path).folder
    ema = folder / "ema.safetensors"
    ema.write_bytes(ema.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="is broken"):
        made.load(open_checkpoint(tmp_path))
    (folder / "run.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        open_checkpoint(tmp_path)
    (folder / "run.json").unlink()
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="not a folder"):
        open_checkpoint(tmp_path / "none")


def test_a_checkpoint_saved_again_is_left_alone_unless_it_is_broken(batches, tmp_path):
    made = trainer(replace(SETTINGS, steps=1))
    train(made, batches, tmp_path, {})
    ema = open_checkpoint(tmp_path).folder / "ema.safetensors"
    before = ema.stat().st_mtime_ns
    made.save(tmp_path, {}, {})
    assert ema.stat().st_mtime_ns == before
    ema.write_bytes(b"broken")
    made.save(tmp_path, {}, {})
    trainer(replace(SETTINGS, steps=1)).load(open_checkpoint(tmp_path))


def test_a_checkpoint_says_where_it_comes_from_and_verifies_by_hand(photo, tmp_path):
    import shutil
    import subprocess

    from recipes import sindiffusion
    from restore import load_image
    from restore.training import session

    recipe = sindiffusion.recipe(photo)
    network = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel")
    settings = replace(recipe.training, steps=1, preview_every=1)
    session.train(replace(recipe, network=network, data=Crops(size=48, crop=16), training=settings), tmp_path / "run")
    checkpoint = open_checkpoint(tmp_path / "run")
    made = checkpoint.run["provenance"]
    assert made.keys() >= {"command", "python", "torch", "commit", "seed"} and made["torch"] == torch.__version__
    from PIL import Image

    for name in ("samples.png", "previews/step-00000001.png"):
        with Image.open(tmp_path / "run" / name) as file:
            assert file.text == {**made, "step": "1"}
    assert load_image(tmp_path / "run/curve.png").shape[0] == 3
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=checkpoint.folder, check=True)


def test_dropout_is_resumed_exactly(batches, tmp_path):
    """And torch's own generator is left as it was."""
    from models import DDPMUNetConfig

    def dropping() -> Trainer:
        torch.manual_seed(0)
        config = DDPMUNetConfig(channels=8, multipliers=(1, 2), blocks=1, attention=(), groups=4, dropout=0.5)
        return Trainer(config.build(), GaussianNoise(), "v", Objective(), SETTINGS)

    whole = dropping()
    before = torch.get_rng_state()
    train(whole, batches, tmp_path, {})
    assert torch.equal(torch.get_rng_state(), before)
    import shutil

    shutil.rmtree(tmp_path / "checkpoints/step-00000006")
    resumed = dropping()
    resumed.load(open_checkpoint(tmp_path))
    assert resumed.step == 3
    torch.manual_seed(99)
    train(resumed, batches, tmp_path, {})
    assert same(weights(resumed), weights(whole))


def test_a_captured_step_is_the_step(batches):
    """As it is recorded on a GPU: rate and weight of the average are tensors then."""
    plain, captured = (trainer(replace(SETTINGS, captured=value)) for value in (False, True))
    for _ in range(3):
        for found, expected in zip(captured.train_step(batches, 1.5), plain.train_step(batches, 1.5), strict=True):
            torch.testing.assert_close(found, expected)
    assert captured.rate == plain.rate
    for found, expected in zip(weights(captured), weights(plain), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_captured():
    with pytest.raises(ValueError, match=r"^a captured step goes without accumulate: leave out captured\.$"):
        trainer(replace(SETTINGS, captured=True, accumulate=2))
