"""Forward time of the U-Net and the DiT against diffusers' UNet2DModel and DiTTransformer2DModel at equal parameters.

    python benchmarks/networks.py [--size 64] [--batch 4] [--rounds 7]

float32, channels-last, without gradients; all in one process, in turns, the median of the rounds. Ours have at least as many
parameters, but for the last row.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
import tyro
from torch import nn

from models import DiTConfig, UNetConfig


@dataclass(frozen=True)
class Bench:
    size: int = 64
    """Side of the images, pixels."""
    batch: int = 4
    """Images a call."""
    rounds: int = 7
    """Calls of each network that are timed."""

    @torch.no_grad()
    def __call__(self) -> None:
        x = torch.randn(self.batch, 3, self.size, self.size).contiguous(memory_format=torch.channels_last)
        t = torch.rand(self.batch)
        labels = torch.arange(self.batch) % 10
        print(f"{describe()}\n{self.batch} x 3 x {self.size} x {self.size}, float32\n")
        print("| network | parameters | ms an image | of diffusers' |\n| --- | --- | --- | --- |")
        for name, (theirs, ours) in {
            "U-Net": unets(),
            "U-ViT": uvits(),
            "DiT": dits(self.size),
            "DiT, 12 blocks": same(self.size),
        }.items():
            calls: dict[str, tuple[nn.Module, Callable[[], object]]] = {
                f"diffusers, {name}": (theirs, partial(forward, theirs, x, t, labels if "DiT" in name else None)),
                f"ours, {name}": (ours, partial(ours, x, t, *([labels] if "DiT" in name else []))),
            }
            seconds: dict[str, list[float]] = {key: [] for key in calls}
            for turn in range(self.rounds + 2):
                for key, (_, call) in calls.items():
                    before = time.perf_counter()
                    call()
                    if turn > 1:
                        seconds[key].append(time.perf_counter() - before)
            base = median(seconds[f"diffusers, {name}"])
            for key, (network, _) in calls.items():
                took = median(seconds[key])
                print(f"| {key} | {count(network):,} | {1000 * took / self.batch:.1f} | {took / base:.2f} |")


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def forward(network: nn.Module, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None) -> object:
    return network(x, timestep=1000 * t, **({} if labels is None else {"class_labels": labels}))


def unets() -> tuple[nn.Module, nn.Module]:
    """Four levels of 64 to 512 channels, two blocks each, attention at the deepest."""
    from diffusers import UNet2DModel

    theirs: Any = UNet2DModel(
        in_channels=3,
        out_channels=3,
        layers_per_block=2,
        block_out_channels=(64, 128, 256, 512),
        down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
    )
    theirs = theirs.eval().to(memory_format=torch.channels_last)
    return theirs, at_least(theirs, lambda depth: UNetConfig(depths=(2, 2, 3, depth)))


def uvits() -> tuple[nn.Module, nn.Module]:
    """The same U-Net of theirs, which has no U-ViT, against a transformer at the deepest level of ours."""
    theirs, _ = unets()
    return theirs, at_least(theirs, lambda depth: UNetConfig(transformer=depth, attention=()))


def dits(size: int) -> tuple[nn.Module, nn.Module]:
    """DiT-S: 12 blocks of 384 channels, tokens of 4 x 4 pixels, 10 classes."""
    from diffusers import DiTTransformer2DModel

    theirs: Any = DiTTransformer2DModel(
        num_attention_heads=6,
        attention_head_dim=64,
        in_channels=3,
        out_channels=3,
        num_layers=12,
        sample_size=size,
        patch_size=4,
        num_embeds_ada_norm=10,
    )
    return theirs.eval(), at_least(theirs, lambda depth: DiTConfig(depth=depth, classes=10))


def same(size: int) -> tuple[nn.Module, nn.Module]:
    """As many blocks as theirs; each of theirs has an embedder of its own for time and class, ours share one."""
    theirs, _ = dits(size)
    return theirs, DiTConfig(classes=10).build().eval()


def at_least(theirs: nn.Module, config: Callable[[int], UNetConfig | DiTConfig]) -> nn.Module:
    """The first of config(1), config(2), ... with as many parameters as theirs, for inference."""
    for depth in range(1, 100):
        with torch.device("meta"):
            enough = count(config(depth).build()) >= count(theirs)
        if enough:
            return config(depth).build().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    raise SystemExit("no depth has as many parameters.")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
