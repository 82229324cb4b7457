"""What is computed on a device is what a CPU computes: training, walks, guides, runs, and what needs no training.

    python tests/on_device.py

takes a GPU where there is one, and else a stand-in (tests/standin.py), on which everything is the same bit for bit, unless a
GPU has a way of its own. tests/test_device.py runs it in a process of its own: the stand-in is known to the whole process.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest
import torch

from degrade import Cosine, GaussianBlur, GaussianNoise, Pixelate, RectifiedFlow, State, seeds
from degrade.severity import level
from models import UNetConfig
from models.condition import Condition
from restore import Crops, Objective, Restorer, Training, closed_form, load_image, open_run, train
from restore.data.batch import Batch, Batches
from restore.machine.capture import WARM
from restore.patches.posterior import PatchPosterior
from restore.pipelines.generation import Edit
from restore.pipelines.likeness import Likeness
from restore.storage.checkpoint import open_checkpoint
from restore.training.trainer import Trainer
from samplers import (
    NAMED,
    Measurement,
    clip,
    ilvr,
    known_pixels,
    likelihood,
    loss_guidance,
    pad_to,
    sample,
    telescoped,
    threshold,
    uniform,
)
from samplers.guides.likelihood import METHODS
from tests import waits
from tests.tiny import NETWORK, tiny

if torch.cuda.is_available():
    DEVICE, inside, NEAR = "cuda", nullcontext, 1e-3
else:
    from tests.standin import DEVICE, There, standin

    inside, NEAR = standin, 0.0

IMAGES = torch.rand(2, 3, 16, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = GaussianNoise(Cosine())


@pytest.fixture(autouse=True)
def _on_the_device(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    with inside():
        yield


def without_waits():
    return waits.without_waits(DEVICE)


def alike(made, near: float = NEAR) -> None:
    """`made(device)` is the same for the device as for the CPU."""
    here, there = (made(device).cpu() for device in ("cpu", DEVICE))
    torch.testing.assert_close(there, here, rtol=0, atol=near)


@pytest.mark.skipif(DEVICE == "cuda", reason="of the stand-in")
def test_tensors_of_two_devices_are_refused():
    x = torch.zeros(3, device=DEVICE)
    here = torch.ones(3)
    for wrong in (lambda: x + here, lambda: torch.cat([x, here]), lambda: x.gather(0, here.long())):
        with pytest.raises(AssertionError, match=f"tensors on two devices: .*{DEVICE}:0"):
            wrong()
    with pytest.raises(AssertionError, match="by a generator of the CPU"):
        torch.rand(3, device=DEVICE, generator=torch.Generator())
    with pytest.raises(RuntimeError):
        x.numpy()
    assert isinstance(x[1:] * 2, There) and not isinstance(x.cpu(), There) and float(x.sum()) == 0


def labelled(count, generator, shard=slice(None)):
    return Batch(IMAGES[torch.arange(count) % 2][shard], Condition(label=(torch.arange(count) % 3)[shard]))


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("kind", ["adamw", "muon", "labelled"])
def test_training(kind, captured, photo):
    if kind == "labelled" and captured:
        pytest.skip("conditions are not captured")
    muon = kind == "muon"
    settings = Training(
        steps=9,
        batch=2,
        accumulate=1 if captured else 2,
        optimizer="muon" if muon else "adamw",
        clip=float(muon),
        warmup=2,
        captured=captured,
    )

    def trained(device: str) -> torch.Tensor:
        network, batches = NETWORK, Batches(labelled, IMAGES)
        if kind == "labelled":
            network = UNetConfig(
                widths=(16, 16), depths=(1, 1), dropout=(0.0, 0.1), attention=(1,), head=16, groups=4, classes=3
            )
        else:
            batches = Crops(size=48, crop=16).open(photo, device)
        torch.manual_seed(0)
        trainer = Trainer(network.build(), NOISE, "v", Objective(weight="min-snr"), settings, device)
        losses = [trainer.train_step(batches)[0] for _ in range(WARM + 3 if captured else 3)]  # recorded, and replayed
        return torch.cat([torch.stack(losses), *(average.flatten() for average in trainer.ema.average)])

    alike(trained, max(NEAR, 1e-6))  # by other convolutions


@pytest.mark.parametrize("name", NAMED)
def test_walks(name):
    noise = GaussianNoise(Cosine())

    def walked(device: str) -> torch.Tensor:
        x = IMAGES.to(device)
        restore = Restorer(lambda x, t: x * t[:, None, None, None], noise, "v")
        start = State(x, noise.draw(x, seeds(0, 2)))
        return sample(NAMED[name], restore, noise, start, uniform(3), generator=seeds(0, 2))

    alike(walked)


def test_guides():
    def walked(device: str) -> torch.Tensor:
        x = IMAGES.to(device)
        restore = Restorer(lambda x, t: x * t[:, None, None, None], NOISE, "x0")
        restore = telescoped(clip(restore), (2.0, pad_to(restore, 8)), until=0.2)
        restore = loss_guidance(restore, lambda y: y.square().mean((1, 2, 3)), 0.1, until=0.3)
        restore = known_pixels(ilvr(threshold(restore, 0.9), x, 2.0), x, x[:1, :1].abs(), reach=3.0)
        return sample(NAMED["ddpm"], restore, NOISE, State(x, NOISE.draw(x, seeds(0, 2))), uniform(3), generator=seeds(0, 2))

    alike(walked)


OPERATORS = {
    "axes": lambda x: Pixelate()(x, torch.full((len(x),), 0.5, device=x.device), ()),
    "pixels": lambda x: x * (torch.arange(x.shape[-1], device=x.device) % 3 > 0),
    "none": lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1))[..., 2:, 2:] + x.roll((1, 3), (2, 3)).flip(2),
    "bent": lambda x: (x + 0.1 * x.square()).mean(1, keepdim=True),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("method", METHODS)
def test_measurements(method, name):
    if name == "bent" and method not in ("diffpir", "dps"):
        pytest.skip("for linear operators")

    def restored(device: str) -> torch.Tensor:
        x, operator = IMAGES[..., :8, :10].to(device), OPERATORS[name]
        restore = Restorer(lambda x, t: x * t[:, None, None, None], NOISE, "x0")
        guided = likelihood(restore, Measurement(operator(x), operator, 0.05, tuple(x.shape)), NOISE, method)
        for guard in (nullcontext, without_waits if device == DEVICE else nullcontext):  # first: tables are made once
            with guard():
                found = guided(x.flip(0), level(0.4, 2, x.device))
        return found

    alike(restored)


@pytest.mark.parametrize(
    ("degradation", "t"), [(GaussianNoise(RectifiedFlow()), t) for t in (0.5, 0.2, 0.05)] + [(GaussianBlur(), 0.2)], ids=str
)
def test_closed_form(degradation, t):
    """A device meets all patches: what a CPU does with all of them, in 16 bits where there is noise."""
    image = load_image_of(IMAGES[0])

    def restored(device: str) -> torch.Tensor:
        there = image.to(device)
        posterior = PatchPosterior([there], degradation, 5, neighbours=None if device == "cpu" else 9)
        return posterior(0.8 * there[None, :, :20, :24], level(t, 1, there.device))

    alike(restored, 5e-3)


def load_image_of(x: torch.Tensor) -> torch.Tensor:
    """(3, 24, 30), smooth."""
    return torch.nn.functional.interpolate(x[None], (24, 30), mode="bicubic")[0]


def test_a_run(photo, tmp_path):
    """Trained on the device, and opened on both: sampled, and edited by a mask."""
    recipe = tiny(photo, prior=Likeness())
    train(recipe, tmp_path / "run", DEVICE)
    trainer = recipe.trainer(DEVICE)
    trainer.load(open_checkpoint(tmp_path / "run"))
    assert trainer.step == recipe.training.steps

    def made(device: str) -> torch.Tensor:
        run = open_run(tmp_path / "run", device)
        picture, mask = run.read(), torch.zeros(1, *run.read().shape[1:])
        mask[..., :20] = 1
        size, kept = (picture.shape[1], picture.shape[2]), Edit(known=(picture, mask))
        return torch.cat([run.generate(size, 2, progress=False), run.generate(size, edit=kept, progress=False)])

    alike(made, max(10 * NEAR, 1e-5))


def test_a_photograph(photo):
    """Without training: made anew, and of a measurement."""
    tasks = {
        "generated": lambda pipeline: pipeline.generate((30, 34), count=2, progress=False),
        "deblurred": lambda pipeline: pipeline.solve(load_image(photo), GaussianBlur(), 0.2, count=1, progress=False).samples,
        "sharpened": lambda pipeline: (
            pipeline.solve(load_image(photo), Pixelate(), 0.5, method="dps", count=1, progress=False).samples
        ),
    }
    for task in tasks.values():
        found = task(closed_form(photo, 40, device=DEVICE))
        assert found.device.type == "cpu" and bool(found.isfinite().all())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-n", "0", "-p", "no:cacheprovider"]))
