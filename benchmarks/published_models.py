"""A published model in memory: what loading takes against its weights, and what decoding in tiles takes, and leaves of seams.

    python benchmarks/published_models.py --size 1024

Stable Diffusion's autoencoder (83.7 million parameters) and U-Net (859.5 million), with random weights saved to disk; a process
for each row. Seams: the largest step between neighbouring columns of the difference between the picture decoded in tiles and
at once, at the edges of tiles and elsewhere, of a picture that still fits (`--whole`), in the unit of [-1, 1].

Memory is what a tile takes, and the picture: the autoencoder's width sets the first, `--size` the second. A slow machine
measures them apart: a small picture at full width, and a large one with an autoencoder of a sixteenth: `--narrow 16 --no-unet`.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import json  # isort: skip
import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from processes import alone

from restore.machine.memory import used_memory

VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
UNET = {"cross_attention_dim": 768}


@dataclass(frozen=True)
class Bench:
    size: int = 2048
    """Side of the picture that is decoded in tiles."""
    whole: int = 768
    """Side of the picture whose seams are measured, in tiles of half as many cells."""
    tile: int = 64
    """Cells that are decoded at once, of 8 pixels each; windows of what is larger have three quarters of them."""
    narrow: int = 1
    """The autoencoder's channels are divided by this: 1, 2, 4, 8 or 16."""
    unet: bool = True
    """Whether the U-Net is loaded too."""

    def __call__(self) -> None:
        print(f"{describe()}\n\n| what | result |\n| --- | --- |")
        Path("runs").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir="runs") as name:
            folder = Path(name)
            alone("saving", save, folder, self)
            for part in ("vae", *(("unet",) if self.unet else ())):
                weights, peak = alone(part, loaded, folder, part)
                print(
                    f"| {part}: weights, peak of loading them | {weights / 2**20:.0f} MiB, {peak / weights:.3f} times |",
                    flush=True,
                )
            edges, elsewhere, contrast = alone("seams", seams, folder, self)
            print(f"| steps at edges, elsewhere; deviation of the picture | {edges:.4f}, {elsewhere:.4f}; {contrast:.3f} |")
            before, seconds, peak, core = alone("decoding", decoded, folder, self)
            along = math.ceil(self.size / 8 / core)
            took = f"{before / 2**30:.2f} GiB before, {peak / 2**30:.2f} GiB at most, {seconds / along**2:.1f} s of CPU a tile"
            print(f"| decoding {self.size} x {self.size} in {along**2} tiles | {took} |")


def save(folder: Path, bench: Bench) -> None:
    import diffusers as library

    diffusers: Any = library  # whose models are typed without what they inherit
    torch.manual_seed(0)
    widths = tuple(width // bench.narrow for width in VAE["block_out_channels"])
    diffusers.AutoencoderKL(**{**VAE, "block_out_channels": widths, "norm_num_groups": min(32, widths[0])}).save_pretrained(
        folder / "vae"
    )
    large, small = diffusers.UNet2DConditionModel, diffusers.UNet2DModel
    network = large(**UNET) if bench.unet else small(4, in_channels=4, out_channels=4)
    network.save_pretrained(folder / "unet")
    diffusers.DDIMScheduler(clip_sample=False).save_pretrained(folder / "scheduler")
    index = {"vae": "AutoencoderKL", "unet": type(network).__name__, "scheduler": "DDIMScheduler"}
    entries = {"_class_name": "StableDiffusionPipeline", **{place: ["diffusers", kind] for place, kind in index.items()}}
    (folder / "model_index.json").write_text(json.dumps(entries))


def space(folder: Path):
    from restore import pretrained

    return pretrained(folder, "cpu").space


def loaded(folder: Path, part: str) -> tuple[int, int]:
    """Bytes of the weights, and what loading them adds to the peak."""
    from restore import pretrained

    pipeline = pretrained(folder, "cpu")
    holder: Any = pipeline.restorer.network if part == "unet" else pipeline.space
    load = holder.load if part == "unet" else holder.codec.load
    load.drawn()  # libraries are loaded, and the class is built once, before what is measured
    before = used_memory()
    module = load()
    return sum(p.nbytes for p in module.parameters()), used_memory() - before


def latents(side: int) -> torch.Tensor:
    return torch.randn(1, 4, side // 8, side // 8, generator=torch.Generator().manual_seed(1))


def seams(folder: Path, bench: Bench) -> tuple[float, float, float]:
    tiled = replace(space(folder), tile=bench.tile // 2)
    x = latents(bench.whole)
    whole = replace(tiled, tile=65_536).decode(x)
    steps = (tiled.decode(x) - whole).diff(dim=-1).abs().amax((0, 1, 2))
    count = -(-x.shape[-1] // tiled.core)
    edges = torch.zeros(len(steps), dtype=torch.bool)
    edges[[x.shape[-1] * i // count * 8 - 1 for i in range(1, count)]] = True
    return float(steps[edges].max()), float(steps[~edges].max()), float(whole.std())


def decoded(folder: Path, bench: Bench) -> tuple[int, float, int, int]:
    tiled = replace(space(folder), tile=bench.tile)
    tiled.codec.load()
    begun, before = used_memory(), time.process_time()
    tiled.decode(latents(bench.size))
    return begun, time.process_time() - before, used_memory(), tiled.core


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
