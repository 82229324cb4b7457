"""One training step of SinDiffusion's PatchUNet: this project's, in its variants, against the published code's.

    git clone https://github.com/WeilunWang/SinDiffusion elsewhere
    python benchmarks/training_step.py --published elsewhere/SinDiffusion

The same network (6,992,899 parameters), images and batch, AdamW and EMA. Rows have a process each and take turns in
rounds of one run, and each is compared with the published step of its own round: float32, without its checkpointing. On a GPU
also its float16 step.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import importlib  # isort: skip
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import tyro
from torch import Tensor, nn
from tqdm import tqdm

from degrade import GaussianNoise, LinearBeta
from models import PatchUNetConfig
from restore import Objective, Training
from restore.allocator import keep_freed_memory
from restore.data import Batches
from restore.trainer import Trainer

Step = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A step, as its process builds it."""

    name: str
    shape: tuple[int, int, int, int]
    device: str
    published: Path | None = None
    half: bool = False
    settings: Training | None = None
    compiled: bool = False

    def step(self) -> Step:
        if self.published:
            return published_step(self.published, self.shape, self.device, self.half)
        assert self.settings
        return our_step(self.settings, self.shape, self.device, self.compiled)


@dataclass(frozen=True)
class Bench:
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""
    shape: tuple[int, int, int, int] = (1, 3, 164, 248)
    """Batch, channels, height, width."""
    rounds: int = 9
    """Times that each row is measured; the median of its ratios counts."""
    compile: bool = False
    """Also with torch.compile."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"

    def __call__(self) -> None:
        rows = []
        if self.published:
            rows.append(Row("published, float32", self.shape, self.device, self.published))
            if self.device == "cuda":
                rows.append(Row("published, float16", self.shape, self.device, self.published, half=True))
        for name, settings in {
            "float32": Training(precision="float32"),
            "float32, contiguous": Training(precision="float32", channels_last=False),
            "bfloat16": Training(precision="bfloat16"),
        }.items():
            rows.append(Row(name, self.shape, self.device, settings=settings))
            if self.compile:
                rows.append(Row(f"{name}, compiled", self.shape, self.device, settings=settings, compiled=True))
        times = in_turns(rows, self.rounds)
        first = rows[0].name
        print(f"{describe(self.device)}\nbatch {' x '.join(map(str, self.shape))}\n")
        print(f"| step | seconds | {first} takes so many times as long |\n| --- | --- | --- |")
        for name, seconds in times.items():
            ratio = statistics.median(a / b for a, b in zip(times[first], seconds, strict=True))
            print(f"| {name} | {statistics.median(seconds):.3f} | {ratio:.2f} |")


def in_turns(rows: list[Row], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step; each row has a process of its own, and they take turns, three times uncounted."""
    context = multiprocessing.get_context("spawn")
    lines, times = {}, {row.name: [] for row in rows}
    for row in rows:
        lines[row.name], theirs = context.Pipe()
        context.Process(target=serve, args=(row, theirs), daemon=True).start()
    for i in tqdm(range(-3, rounds), unit="round"):
        for name, line in lines.items():
            line.send("step")
            seconds = line.recv()
            if i >= 0:
                times[name].append(seconds)
    return times


def serve(row: Row, line: Connection) -> None:
    """Takes a step whenever it is asked to, and answers with its seconds."""
    step = row.step()
    while True:
        line.recv()
        before = time.perf_counter()
        step()
        if row.device == "cuda":
            torch.cuda.synchronize()
        line.send(time.perf_counter() - before)


def our_step(settings: Training, shape: tuple[int, ...], device: str, compiled: bool = False) -> Step:
    keep_freed_memory()  # as the loop does
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    settings = replace(settings, batch=shape[0], levels=1000, rate=1e-5)
    network = PatchUNetConfig().build()
    trainer = Trainer(network, GaussianNoise(LinearBeta(1000)), "eps", Objective(), settings, device)
    if compiled:
        trainer.network.compile()
    batches = Batches(lambda count, generator, share=slice(None): x[share], x)
    return lambda: trainer.train_step(batches)


def published_step(home: Path, shape: tuple[int, ...], device: str, half: bool = False) -> Step:
    """The published network, loss, optimizer and EMA, as its training loop calls them."""
    sys.path.insert(0, str(home))
    names = ("sinddpm", "gaussian_diffusion", "nn", "fp16_util", "respace")
    unet, diffusion, nn_, fp16, respace = (importlib.import_module(f"guided_diffusion.{name}") for name in names)
    network: nn.Module = unet.UNetModel(
        image_size=256,
        in_channels=3,
        model_channels=64,
        out_channels=3,
        num_res_blocks=1,
        attention_resolutions=(128,),
        channel_mult=(1, 2, 4),
        num_head_channels=16,
        use_scale_shift_norm=True,
        use_fp16=half,
    ).to(device)
    process = respace.SpacedDiffusion(
        use_timesteps=range(1000),
        betas=diffusion.get_named_beta_schedule("linear", 1000),
        model_mean_type=diffusion.ModelMeanType.EPSILON,
        model_var_type=diffusion.ModelVarType.FIXED_LARGE,
        loss_type=diffusion.LossType.MSE,
        rescale_timesteps=False,
    )
    mixed = fp16.MixedPrecisionTrainer(model=network, use_fp16=half, fp16_scale_growth=1e-3)
    optimizer = torch.optim.AdamW(mixed.master_params, lr=1e-5, weight_decay=0.0)
    averaged = [p.detach().clone() for p in mixed.master_params]
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1

    def step() -> Tensor:
        mixed.zero_grad()
        t = torch.randint(1000, (len(x),), device=device)
        loss = process.training_losses(network, x, t)["loss"].mean()
        mixed.backward(loss)
        mixed.optimize(optimizer)
        nn_.update_ema(averaged, mixed.master_params, rate=0.9999)
        return loss

    return step


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
