"""The trainer has no rank or condition of its own: videos, tokens and pictures, by types that live in the tests only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from degrade import GaussianNoise, RectifiedFlow
from degrade.random import normal, seeded, uniform
from degrade.severity import per_sample
from models import Condition, UNetConfig
from restore import Batch, Batches, ConditionDropout, Objective, Training
from restore.storage.checkpoint import open_checkpoint
from restore.training.trainer import Trainer
from tests.captions import Captioned, Text

SETTINGS = Training(steps=3, batch=4, rate=1e-2, precision="float32", ema=0.5)
NOISE = GaussianNoise(RectifiedFlow())


class Noise(NamedTuple):
    z: Tensor


@dataclass(frozen=True)
class Noisy:
    """x_t = x0 + t z, for images of any rank."""

    def draw(self, x0, generator=None):
        return Noise(normal(x0.shape, generator).to(x0))

    def __call__(self, x0, t, latent):
        return x0 + per_sample(t, x0) * latent.z

    def prior(self, images):
        raise NotImplementedError


class Frames(nn.Module):
    """A network on videos (B, 2, T, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv3d(2, 16, 3, padding=1), nn.Conv3d(16, 2, 3, padding=1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.last(self.dropout(self.first(x).relu()))


def videos(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
    return Batch((uniform((count, 2, 3, 8, 6), generator) - 0.5)[shard])


def text() -> Text:
    return Text(3, 4)


def seeded_weights(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def trained(make, degradation, batches, settings=SETTINGS, objective=Objective()) -> tuple[Trainer, list[float]]:  # noqa: B008
    trainer = Trainer(seeded_weights(make), degradation, "x0", objective, settings)
    return trainer, [float(trainer.train_step(batches)[0]) for _ in range(3)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("objective", [Objective(), Objective(coarsest=1)], ids=["pixels", "coarsest"])
def test_videos(optimizer, objective, tmp_path):
    """Every weight moves; the losses are the same in pieces, within 1e-5, and after resuming, bit for bit."""
    batches = Batches(videos, torch.zeros(1, 2, 3, 8, 6))
    settings = replace(SETTINGS, optimizer=optimizer)
    trainer, losses = trained(Frames, Noisy(), batches, settings, objective)
    assert all(
        not torch.equal(a, b) for a, b in zip(seeded_weights(Frames).parameters(), trainer.network.parameters(), strict=True)
    )
    assert ("momentum" in trainer.optimizer.state[trainer.network.first.weight]) == (optimizer == "muon")
    _, pieces = trained(Frames, Noisy(), batches, replace(settings, accumulate=2), objective)
    assert pieces == pytest.approx(losses, abs=1e-5)
    trainer.save(tmp_path, {}, {})
    resumed = Trainer(seeded_weights(Frames), Noisy(), "x0", objective, settings)
    resumed.load(open_checkpoint(tmp_path))
    assert torch.equal(resumed.train_step(batches)[0], trainer.train_step(batches)[0])


def test_the_multiscale_loss_of_a_video_is_that_of_its_cubes():
    """Of a difference that is constant in cubes of 2 x 2 x 2: (1 + 2) of its mean square, over 1 + 2; of noise, less."""
    blocks = torch.randn(2, 1, 2, 2, 2, generator=seeded(0))
    difference = blocks.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    expected = difference.square().flatten(1).mean(1)
    torch.testing.assert_close(Objective(coarsest=2)._distance(difference), expected, rtol=1e-6, atol=0)
    zero_mean = torch.tensor([1.0, -1.0]).repeat(2)[:, None, None].expand(2, 1, 4, 4, 4).clone()
    torch.testing.assert_close(Objective(coarsest=2)._distance(zero_mean), torch.full((2,), 1 / 3), rtol=1e-6, atol=0)


def test_tokens(tmp_path):
    """They reach the network; where they are always dropped, the losses are those without any, within 1e-6."""
    batches = Captioned().open(tmp_path)
    never, always = (replace(SETTINGS, condition_dropout=ConditionDropout(tokens=p)) for p in (0.0, 1.0))
    with_tokens, dropped = (trained(text, NOISE, batches, settings)[1] for settings in (never, always))
    bare = batches._replace(draw=lambda *args: Batch(batches.draw(*args).x0))
    _, without = trained(text, NOISE, bare)
    assert dropped == pytest.approx(without, abs=1e-6) and with_tokens != pytest.approx(without, abs=1e-4)


def test_a_picture():
    """A U-Net that is shown x0 itself learns to copy it, as one that is not cannot: all pixels are independent."""

    def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
        x0 = (2 * uniform((count, 1, 8, 8), generator) - 1)[shard]
        return Batch(x0, Condition(image=x0))

    network = UNetConfig(1, (16,), (1,), (0.0,), attention=(), groups=4, picture=1)
    settings = replace(SETTINGS, batch=16, condition_dropout=ConditionDropout(image=0.0))
    shown = Trainer(seeded_weights(network.build), Noisy(), "x0", Objective(), settings)
    batches = Batches(draw, torch.zeros(1, 1, 8, 8))
    hidden = Trainer(seeded_weights(network.build), Noisy(), "x0", Objective(), settings)
    bare = batches._replace(draw=lambda *args: Batch(draw(*args).x0))
    last = [[float(made.train_step(data)[0]) for _ in range(60)][-1] for made, data in ((shown, batches), (hidden, bare))]
    assert last[0] < 0.5 * last[1]


def test_a_condition_that_the_network_does_not_accept_is_refused(tmp_path):
    batches = Captioned().open(tmp_path)
    made = Trainer(UNetConfig(3, (8,), (1,), (0.0,), attention=(), groups=4).build(), Noisy(), "x0", Objective(), SETTINGS)
    with pytest.raises(ValueError, match="UNet accepts no condition, got tokens"):
        made.train_step(batches)
