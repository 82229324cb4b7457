"""Text to image: pictures of captions, by a network that reads them, on a folder of captioned images.

Its text encoder is a small transformer over bytes, trained together with it; its transformer attends to what that makes of the
caption (Saharia et al. 2022, Imagen, arXiv 2205.11487, section 2.1; Rombach et al. 2022, arXiv 2112.10752, section 3.3).
Classifier-free guidance weighs the caption (Ho & Salimans 2022, arXiv 2207.12598).

    python recipes/text_to_image.py                                     # digits with captions, that come with scikit-learn
    python recipes/text_to_image.py train folder/                       # yours: of a.png a.txt, or captions.csv
    python recipes/text_to_image.py sample runs/captioned --prompt "a green five left of a red two" --guidance 3

What it is worth, also on compositions that it never saw: docs/text.md. Preset `paper` is a U-ViT at 128 px, for GPUs.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import replace

from degrade import Degradation
from models import UNetConfig
from recipes import simple_diffusion
from recipes.command import cli
from recipes.command.training import Preset
from restore import Folder
from restore.recipe import Recipe
from restore.training.times import LogitNormal


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """simple diffusion's, with captions: a text encoder of 128 channels (`paper`: 512) and two blocks (12), and guidance of 3.

    `fast`: convolutions, which know a shape wherever it is, and at the two deepest levels attention to the caption; Muon, and
    more of the high severities, at which it is decided what there is to see (docs/text.md has what each of these is worth).
    """
    plain = simple_diffusion.recipe(images, preset, degradation)
    assert isinstance(plain.network, UNetConfig) and isinstance(plain.data, Folder)
    captioned = replace(
        plain,
        data=replace(plain.data, captions=True, labelled=False, flip=False),
        sampling=replace(plain.sampling, guidance=3.0),
    )
    if preset == "paper":
        return replace(captioned, network=replace(plain.network, text=512, text_depth=12))
    deepest = len(plain.network.widths) - 1
    network = replace(
        plain.network,
        widths=(64, *[128] * deepest),
        depths=(1, *[2] * deepest),
        dropout=(0.0,) * (deepest + 1),
        attention=(deepest - 1, deepest),
        transformer=0,
        text=128,
    )
    training = replace(plain.training, steps=4000, optimizer="muon", rate=2e-3, clip=0.3, times=LogitNormal(0.5, 1.2))
    return replace(captioned, network=network, training=training)


main = cli.commands(recipe, __file__, __doc__, lambda: "captioned")

if __name__ == "__main__":
    cli.run(main)
