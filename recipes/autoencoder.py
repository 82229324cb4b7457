"""An autoencoder of images, in whose latents diffusion is learned (recipes/latent_diffusion.py).

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv 2112.10752, section 3.1.

    python recipes/autoencoder.py                                    # photographs that come with scikit-image
    python recipes/autoencoder.py train folder/                      # writes runs/folder-autoencoder/
    python recipes/autoencoder.py train folder/ --minutes 5
    python recipes/autoencoder.py train folder/ --network.adversary 32     # with a discriminator of patches
    python recipes/evaluate.py restoration runs/folder-autoencoder test/   # PSNR, Frechet distance of reconstructions
    python recipes/latent_diffusion.py train folder/ --autoencoder runs/folder-autoencoder

It is trained as everything here is: what it undoes is nothing (`Identity`), through a bottleneck.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Degradation, Identity
from models import AutoencoderConfig
from recipes.command import cli
from recipes.command.training import Preset
from restore import Folder, Sampling, Training
from restore.data.bundled import SETS
from restore.recipe import Recipe
from restore.training.reconstruction import Reconstruction
from samplers import Naive


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """Absolute errors at several scales, KL 1e-6, a quarter of the side (the digits' 16 px: half), 4 channels.

    `paper`: four levels of 128 to 512 channels with a discriminator from half of the training on; LPIPS and attention, which
    were published, are left out. `fast`: 64 px, 0.4 million parameters, no discriminator.
    """
    known = SETS.get(str(images))
    channels, size = (known.channels, known.size) if known else (3, 64)
    data = Folder(size, known.reduce if known else 0, 3 if channels == 3 else 1, known.flip if known else True)
    large = preset == "paper"
    widths = (128, 256, 512) if large else (32, 64) if size <= 32 else (32, 64, 64)
    network = AutoencoderConfig(channels, 4, widths, 2 if large else 1, 32 if large else 8, 64 if large else 0)
    training = Training(rate=1e-3, warmup=100, decay="cosine", clip=1.0, ema=0.995, steps=2000, batch=8)
    if large:
        training = Training(rate=1e-4, warmup=1000, clip=1.0, ema=0.999, steps=200_000, batch=16)
    return Recipe(
        images=Path(images),
        degradation=degradation or Identity(),
        data=data,
        network=network,
        prediction="x0",
        objective=Reconstruction(),
        training=training,
        sampling=Sampling(Naive(), steps=1, clip=False),
        show="reconstructions",
    )


main = cli.commands(recipe, __file__, __doc__, lambda: "photographs")

if __name__ == "__main__":
    cli.run(main)
