"""What has to be right on a device before anything there is measured: checks of benchmarks/gpu.py."""

from __future__ import annotations

from machine import describe  # noqa: F401, first: finds the project's packages

import math  # isort: skip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from processes import GROUPS
from torch import Tensor

from degrade import Cosine, GaussianNoise, RectifiedFlow, State, seeds
from models import PatchUNetConfig
from recipes import sindiffusion
from restore import Crops, Restorer
from restore.data.batch import Batches
from restore.data.bundled import bundled_photograph
from restore.recipe import Recipe
from restore.storage.checkpoint import open_checkpoint
from restore.training.trainer import Trainer
from samplers import NAMED, sample, uniform

ROOT = Path(__file__).resolve().parents[1]
Figures = dict[str, float | bool | str]
SMALL = PatchUNetConfig(channels=16, multipliers=(1, 2), kernels=(3, 3), patch=2, norm="pixel")


@dataclass(frozen=True)
class Scene:
    """What is checked and measured, and where."""

    device: str
    photographs: tuple[Path, ...] = ()
    """None: one that comes with scikit-image."""
    peers: Path | None = None
    """A folder with another method's sample of PHOTO.jpg as PHOTO.png."""
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""
    tiny: bool = False
    """Sizes that a CPU is done with in seconds."""
    out: Path = Path("runs/gpu")
    until: float = math.inf
    """When all has to be done, of `time.time()`."""

    @property
    def left(self) -> float | None:
        """Seconds until then; None for any number."""
        return None if self.until == math.inf else max(1.0, self.until - time.time())

    @property
    def photograph(self) -> Path:
        return self.photographs[0] if self.photographs else bundled_photograph()

    def recipe(self, photograph: Path | None = None) -> Recipe:
        """SinDiffusion's preset for a GPU; tiny where that is."""
        recipe = sindiffusion.recipe(photograph or self.photograph, "gpu")
        if not self.tiny:
            return recipe
        training = replace(recipe.training, steps=4, batch=2, warmup=1, precision="float32", save_every=4, preview_every=4)
        sampling = replace(recipe.sampling, steps=2)
        return replace(recipe, data=Crops(size=48, crop=16), network=SMALL, training=training, sampling=sampling)


def parity(scene: Scene) -> Figures:
    """The network against the published code's outputs (tests/golden), on a GPU within 5 times the tolerance of a CPU."""
    return tested(scene, ["tests/models/test_patch_unet.py" + "::test_published_time_embedding" * scene.tiny], 0)


def laws(scene: Scene) -> Figures:
    """The tests that run on a GPU where there is one: laws of the operators, streams of random numbers, no waits."""
    files = ["tests/degrade/test_laws.py", "tests/degrade/test_counters.py", "tests/test_waits.py", "tests/test_device.py"]
    return tested(
        scene, ["tests/degrade/test_counters.py::test_known_answers"] if scene.tiny else files, 0 if scene.tiny else 8
    )


def samplers(scene: Scene) -> Figures:
    """Each sampler's walk on the device against the same on the CPU: the largest difference, of values in [-1, 1]."""
    network = SMALL.build().eval()
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.05, generator=torch.Generator().manual_seed(p.numel()))
    worst = 0.0
    for schedule in (Cosine(), RectifiedFlow()):
        noise = GaussianNoise(schedule)
        for sampler in NAMED.values():
            found: list[Tensor] = []
            for device in ("cpu", scene.device):
                x = torch.randn(2, 3, 24, 32, generator=torch.Generator().manual_seed(0)).to(device)
                restore = Restorer(network.to(device), noise, "v")
                with exact():
                    start = State(x, noise.draw(x, seeds(0, 2)))
                    found.append(sample(sampler, restore, noise, start, uniform(4), generator=seeds(0, 2)).cpu())
            worst = max(worst, float((found[0] - found[1]).abs().max()))
    return {"largest difference": worst, "ok": worst < 1e-3}


def resume(scene: Scene) -> Figures:
    """Six steps against three, a checkpoint and three more: the weights and averages bit for bit, captured and not."""
    figures: Figures = {}
    for replayed in (False, True):
        with deterministic(), tempfile.TemporaryDirectory() as folder:
            whole, stopped, resumed = (trainer(scene, replayed) for _ in range(3))
            run(scene, whole, 6)
            run(scene, stopped, 3)
            stopped.save(Path(folder), {}, {})
            resumed.load(open_checkpoint(Path(folder)))
            run(scene, resumed, 3)
        same = all(map(torch.equal, state(resumed), state(whole)))
        figures["captured, bitwise" if replayed else "bitwise"] = same
    return {**figures, "ok": all(figures.values())}


def captured(scene: Scene) -> Figures:
    """Steps that are replayed against the same as they are: the largest difference of a loss, of losses."""
    with deterministic():
        plain, replayed = (run(scene, trainer(scene, each), 4 if scene.tiny else 8) for each in (False, True))
    error = float(((plain - replayed) / plain).abs().max())
    return {"largest difference": error, "ok": error < 1e-2}


def ddp(scene: Scene) -> Figures:
    """Steps under DistributedDataParallel, in a group of one process, against the same without: of weights."""
    kind = "nccl" if scene.device.startswith("cuda") else "gloo"
    plain, replicated = trainer(scene), trainer(scene)
    with tempfile.TemporaryDirectory() as folder, deterministic():
        torch.distributed.init_process_group(kind, init_method=f"file://{folder}/group", rank=0, world_size=1)
        try:
            devices = [torch.device(scene.device)] if kind == "nccl" else None
            wrapped = torch.nn.parallel.DistributedDataParallel(replicated.network, device_ids=devices)
            replicated.learner = replace(replicated.learner, network=wrapped)
            for made in (plain, replicated):
                run(scene, made, 3)
            error = max(float((a - b).abs().max()) for a, b in zip(state(plain), state(replicated), strict=True))
        finally:
            torch.distributed.destroy_process_group()
    return {"largest difference": error, "ok": error < 1e-5}


def tested(scene: Scene, paths: list[str], workers: int) -> Figures:
    """What pytest says of these files."""
    options = [
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        "-n",
        str(workers),
    ]  # of libraries that are not there
    command = [sys.executable, "-m", "pytest", *options, *paths]
    scene.out.mkdir(parents=True, exist_ok=True)
    log, left = scene.out / f"{Path(paths[0]).name.partition('.')[0]}.log", scene.left
    with log.open("w", encoding="utf-8") as said:  # what was said stays, also when it takes too long
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        GROUPS.add(process.pid)  # which Ctrl-C ends too
        try:
            code = process.wait(left)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return {"error": f"not done after {left:.0f} s: {log}", "ok": False}
        finally:
            GROUPS.discard(process.pid)
    lines = log.read_text("utf-8").splitlines()
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", "".join(lines[-3:]))}
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {**counts, **({"first": failed[0][:200]} if failed else {}), "ok": code == 0}


def trainer(scene: Scene, captured: bool = False) -> Trainer:
    recipe = scene.recipe()
    training = replace(recipe.training.decided, batch=2, captured=captured, precision="float32")
    return replace(recipe, training=training).trainer(scene.device)


def run(scene: Scene, made: Trainer, steps: int) -> Tensor:
    """The losses (steps,)."""
    batches = opened(scene)
    return torch.stack([made.train_step(batches)[0] for _ in range(steps)])


@cache
def opened(scene: Scene) -> Batches:
    return scene.recipe().open(scene.device)[0]


def state(made: Trainer) -> list[Tensor]:
    return [p.detach() for p in made.parameters.values()] + made.ema.average


@contextmanager
def exact() -> Iterator[None]:
    """Without the 10 bits of TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def deterministic() -> Iterator[None]:
    """Kernels that give the same bits each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        with exact():
            yield
    finally:
        torch.backends.cudnn.deterministic = before


CHECKS = {check.__name__: check for check in (parity, laws, samplers, resume, captured, ddp)}
