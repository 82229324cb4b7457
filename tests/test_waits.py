"""No step waits for the device: nothing is read from it, and nothing brought to it but in the order of its own work."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch

from degrade import (
    OPERATORS,
    Compose,
    Cosine,
    Estimable,
    GaussianBlur,
    GaussianNoise,
    Independent,
    LinearBeta,
    Pixelate,
    RectifiedFlow,
    Stage,
    State,
    Stream,
    seeds,
)
from degrade.random import counters
from degrade.random import uniform as uniform_
from degrade.severity import level
from models import UNetConfig
from models.condition import Condition
from restore import Crops, Objective, Restorer, Training
from restore.data.batch import Batch, Batches
from restore.patches.scale import ScaleRestorer
from restore.patches.settings import ORDINARY
from restore.training.trainer import Trainer
from samplers import (
    DDIM,
    NAMED,
    Resampled,
    blended,
    clip,
    ilvr,
    known_pixels,
    loss_guidance,
    pad_to,
    sample,
    telescoped,
    threshold,
    tiled,
    uniform,
)
from tests.tiny import NETWORK
from tests.waits import DEVICE, WaitError, without_waits


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool((x > 0).any()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.ones(3).to(x),
        lambda x: torch.tensor([1.0], device=DEVICE),
        lambda x: x[torch.tensor([0])],
    ],
)
def test_waits_are_found(wait):
    x = torch.zeros(3, device=DEVICE)
    with pytest.raises((WaitError, RuntimeError, NotImplementedError)), without_waits():
        wait(x)


IMAGES = torch.rand(2, 3, 16, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = GaussianNoise(Cosine())
"""Of which alpha is 0 at t = 1."""


@pytest.fixture(autouse=True)
def _autocast(monkeypatch):
    if DEVICE == "meta":  # which it refuses, even disabled
        monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


def there(x):
    return x.to(DEVICE)


@pytest.mark.parametrize("operator", [*(kind() for kind in OPERATORS), Compose((Stage(Pixelate()), Stage(NOISE)))], ids=str)
def test_operators(operator):
    x0, t = there(IMAGES), there(torch.tensor([0.3, 1.0], dtype=torch.float64))

    def degraded():
        latent = Independent().couple(Batch(x0, x1=(x0,)), operator, streams)
        x_t = operator(x0, t, latent)
        if isinstance(operator, Estimable):
            operator.estimate(x_t, x0, t)
        return x_t

    for guard in (nullcontext, without_waits):  # first: tables are made once
        streams = counters(0, Stream.LATENT, [(0, 0), (0, 1)], DEVICE)
        with guard():
            assert degraded().device.type == DEVICE


AFFINE = (NOISE, GaussianNoise(LinearBeta()), GaussianNoise(RectifiedFlow()))
RULES = {**NAMED, "resampled": Resampled(DDIM(), 2)}


def walk(sampler, operator, restore, random):
    """Twice, the second time without waits: tables are made once."""
    x = there(IMAGES)
    start = State(x, operator.draw(x, seeds(0, 2)))
    for guard in (nullcontext, without_waits):
        with guard():
            sample(sampler, restore, operator, start, uniform(2), generator=random())


@pytest.mark.parametrize("operator", AFFINE, ids=str)
@pytest.mark.parametrize("name", RULES)
def test_samplers(name, operator):
    """A whole walk, its noise drawn on the device."""
    restore = Restorer(lambda x, t: x * t[:, None, None, None], operator, "v")
    walk(RULES[name], operator, restore, lambda: counters(0, Stream.SAMPLE, [(0,), (1,)], DEVICE))


@pytest.mark.parametrize("name", ["naive", "improved"])
def test_samplers_of_other_degradations(name):
    walk(NAMED[name], GaussianBlur(), lambda x, t: x, lambda: seeds(0, 2))


def test_guides():
    """Around a restorer, and noise that is drawn on the CPU."""
    x = there(IMAGES)
    restore = Restorer(lambda x, t: x * t[:, None, None, None], NOISE, "x0")
    restore = telescoped(clip(restore), (2.0, pad_to(restore, 8)), until=0.2)
    restore = loss_guidance(restore, lambda y: y.square().mean((1, 2, 3)), 0.1, until=0.3)
    restore = ilvr(threshold(blended(tiled(restore, 16, 4), 16, 2), 0.9), x, 2.0)
    walk(NAMED["ddpm"], NOISE, known_pixels(restore, x, x[:1, :1].abs(), reach=3.0), lambda: seeds(0, 2))


@pytest.mark.parametrize("t", [0.4, 0.2, 0.1])
@pytest.mark.parametrize("balanced", [0, 4500])
def test_closed_form(t, balanced):
    """Exact at coarse scales, dense at fine ones, and with the photograph's distribution of patches in between."""
    small = there(torch.rand(3, 48, 60))
    settings = replace(ORDINARY, balanced=balanced, border=0.5)
    restore = ScaleRestorer(small, GaussianNoise(RectifiedFlow()), settings, (44, 52))
    x = there(torch.rand(1, 3, 44, 52))
    for guard in (nullcontext, without_waits):
        with guard():
            assert restore(x, level(t, 1, x.device)).shape == x.shape


class Labelled(NamedTuple):
    """What a source draws, of one size."""

    x0: torch.Tensor

    def __call__(self, count, generator, shard=slice(None)):
        label = uniform_((count,), generator).long()[shard]
        return Batch(self.x0[: len(label)], Condition(label=label))


@pytest.mark.parametrize(
    ("source", "optimizer", "clip"), [("crops", "adamw", 0.0), ("crops", "muon", 1.0), ("labelled", "adamw", 1.0)]
)
def test_training_step(optimizer, source, clip, photo):
    settings = Training(steps=9, batch=4, accumulate=2, optimizer=optimizer, clip=clip, warmup=2, decay="cosine")
    if source == "crops":
        batches, network = Crops(size=48, crop=16).open(photo, DEVICE), NETWORK
    else:
        network = UNetConfig(widths=(16, 16), depths=(1, 1), dropout=(0.0, 0.1), attention=(1,), head=16, groups=4, classes=3)
        batches = Batches(Labelled(IMAGES), IMAGES)
    objective = Objective(weight="min-snr", coarsest=8)
    trainer = Trainer(network.build(), NOISE, "v", objective, settings, DEVICE)
    trainer.train_step(batches)
    with without_waits():
        loss, norm = trainer.train_step(batches, 1.5)
    assert loss.device.type == norm.device.type == DEVICE
