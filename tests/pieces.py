"""The losses of two steps for operators, however a batch of eight is shared out; run by torchrun, by two processes.

torchrun --nproc-per-node 2 -m tests.pieces photo.png losses.json
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from degrade import OPERATORS, Compose, Curve, Degradation, GaussianNoise, ImageMixing, RectifiedFlow, Stage
from models import Condition, UNetConfig
from restore import Batch, Crops, Objective, Training
from restore.machine.processes import ALONE, Processes, process_group
from restore.training.trainer import Trainer

CHAIN = Compose((Stage(ImageMixing()), Stage(GaussianNoise(RectifiedFlow()), Curve(end=0.5)), Stage(ImageMixing())))
CASES: list[Degradation] = [*(operator() for operator in OPERATORS), CHAIN]
FEW: list[Degradation] = [GaussianNoise(), ImageMixing(), CHAIN]
"""Latents of an image's own, partners, and both: what is shared out is the same for the other operators."""
SHARED = ((FEW, 1, False), (CASES, 4, False), (FEW, 2, True))
"""What two processes do: the cases, in how many pieces each, and whether the weights are shared out too."""
NETWORK = replace(
    UNetConfig(widths=(8, 16), depths=(1, 1), dropout=(0.2, 0.4), attention=(), transformer=1, head=8, groups=4),
    classes=2,
    pooled=2,
    picture=1,
)


def trainer(degradation: Degradation, accumulate: int, processes: Processes = ALONE, shard: bool = False) -> Trainer:
    """Of a network with dropout everywhere, no part of which is zero."""
    torch.manual_seed(0)
    network = NETWORK.build()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    settings = Training(batch=8, accumulate=accumulate, rate=1e-3, precision="float32", shard=shard)
    return Trainer(network, degradation, "x0", Objective(), settings, processes=processes)


def losses(made: Trainer, photo: Path, steps: int = 2) -> list[float]:
    batches = Crops(size=48, crop=16).open(photo)

    def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
        x0, label = batches.draw(count, generator, shard).x0, (torch.arange(count) % 2)[shard]
        pooled = torch.stack([label, 1 - label], dim=1).float()
        return Batch(x0, Condition(label=label, pooled=pooled, image=x0[:, :1].round()))

    conditioned = batches._replace(draw=draw)
    return [float(made.processes.mean(made.train_step(conditioned)[0])) for _ in range(steps)]


if __name__ == "__main__":
    with process_group(device="cpu") as processes:
        found = [
            [losses(trainer(case, accumulate, processes, shard), Path(sys.argv[1])) for case in cases]
            for cases, accumulate, shard in SHARED
        ]
        if processes.is_main:
            Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
        processes.wait()
