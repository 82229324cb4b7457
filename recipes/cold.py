"""What the Cold Diffusion recipes share (Bansal et al. 2022, arXiv 2208.09392): everything but the degradation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from degrade import Degradation
from models import DDPMUNetConfig, NetworkConfig, PatchUNetConfig
from recipes.command.training import Preset
from restore import Folder, Levels, Objective, Training
from restore.data.bundled import SETS
from restore.recipe import Recipe
from restore.sampling import Sampling
from samplers import Improved


def cold(images: str | Path, degradation: Degradation, preset: Preset, size: int, steps: int) -> Recipe:
    """Restoration of `images` at `size` pixels, walking back in `steps` steps of Algorithm 2.

    `paper`: the published U-Net, x0 prediction, absolute error, Adam at 2e-5, batch 32, 700,000 steps; days on a GPU.
    `fast`: the residual is predicted, by a DDPM U-Net of 1.1 million parameters up to 32 px, and by a patch U-Net of 3.2
    million on squares of 2 x 2 pixels above; 5 to 7 minutes on two CPU cores. A set by name (restore/data/bundled.py) brings
    its own size and channels.
    """
    known = SETS.get(str(images))
    size = known.size if known else size
    channels = known.channels if known else 3
    data = Folder(size, known.reduce if known else 0, 3 if channels == 3 else 1, known.flip if known else True)
    chosen = Recipe(
        images=Path(images),
        degradation=degradation,
        data=data,
        network=DDPMUNetConfig(image_channels=channels, attention=(max(0, (size // 16).bit_length() - 1),)),
        prediction="x0",
        objective=Objective("l1"),
        training=Training(steps=700_000, batch=32, rate=2e-5, ema=0.995, times=Levels(steps), precision="float32"),
        sampling=Sampling(Improved(), steps=steps, clip=False),
        show="restorations",
    )
    if preset == "paper":
        return chosen
    network: NetworkConfig = PatchUNetConfig(channels, 2, 64, (1, 2, 2), norm="group")
    if size <= 32:
        network = DDPMUNetConfig(channels, 32, (1, 2, 2), blocks=1, attention=(2,), dropout=0.0, groups=8)
    training = Training(rate=1e-3, warmup=100, decay="cosine", clip=1.0, ema=0.995)
    return replace(
        chosen,
        network=network,
        prediction="residual",
        training=replace(training, steps=2000, batch=32) if size <= 32 else replace(training, steps=1500, batch=8),
        sampling=replace(chosen.sampling, steps=min(steps, 50)),
    )
