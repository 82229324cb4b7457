"""SinDiffusion: learn from one photograph, then sample new images of any size.

Wang et al. 2022, "SinDiffusion: Learning a Diffusion Model from a Single Natural Image", arXiv 2211.12445.

    python recipes/sindiffusion.py                          # learns a photograph that comes with scikit-image, 3 minutes
    python recipes/sindiffusion.py train photo.jpg          # yours
    python recipes/sindiffusion.py sample runs/photo --size 128x384 --count 4
    python recipes/sindiffusion.py train photo.jpg --preset best --minutes 15   # larger, with more detail
    python recipes/sindiffusion.py train photo.jpg degradation:gaussian-blur    # another degradation

Preset `paper` is the published method: 50,000 steps of the 7-million-parameter network on the whole image at 250 px,
1000 sampling steps; hours on a GPU. Preset `fast` takes about 4 minutes on two CPU cores (Xeon with AVX-512, no AMX) at
128 px, or `--minutes` as you like, and 3 s for four samples; `best` about 15 at 250 px; `gpu` is meant for 1 minute on a GPU,
where it was not measured yet (docs/guides/gpu.md): see `recipe`, and docs/evidence.md for what was measured.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from degrade import Cosine, Degradation, GaussianNoise, LinearBeta
from models import PatchUNetConfig
from recipes.command import cli
from restore import Crops, Levels, Objective, OneImage, Training
from restore.data.bundled import bundled_photograph
from restore.pipelines.likeness import Likeness
from restore.recipe import Recipe
from restore.sampling import Sampling
from samplers import DDPM, Improved

Preset = Literal["fast", "best", "paper", "gpu"]


def recipe(image: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """SinDiffusion on `image`, by default with Gaussian noise; or the same with another degradation.

    `fast`: v-prediction, crops of the rescaled image that are large enough to know top from bottom, a strictly local network on
    squares of 2 x 2 pixels, Muon, a decaying rate, a short EMA, 25 ancestral steps, each of which is brought to the
    photograph's shares of colour and contrast (restore/pipelines/likeness.py). `best`: the same for twice the detail, with one
    level more, so that top and bottom are still told apart. `gpu`: the same in batches of 16 crops, in bfloat16, its steps
    recorded as CUDA graphs, for `--minutes 1` on a GPU.
    The longer the training, the nearer samples are to the photograph: docs/training.md, "One photograph".
    With another degradation the network predicts the residual, its absolute error is minimised, and Cold Diffusion's
    Algorithm 2 samples.
    """
    if preset == "paper":
        chosen = Recipe(
            images=Path(image),
            degradation=GaussianNoise(LinearBeta(1000)),
            data=OneImage(size=250),
            network=PatchUNetConfig(),
            prediction="eps",
            objective=Objective("mse"),
            training=Training(
                steps=50_000, batch=16, rate=5e-4, ema=0.9999, ema_warmup=False, times=Levels(1000), precision="float32"
            ),
            sampling=Sampling(DDPM("large"), steps=1000, clip=False, pad_to=8),
        )
    else:
        chosen = Recipe(
            images=Path(image),
            degradation=GaussianNoise(Cosine()),
            data=Crops(size=128, crop=96),
            network=PatchUNetConfig(patch=2, channels=64, multipliers=(1, 2), kernels=(3, 3), norm="pixel"),
            prediction="v",
            objective=Objective("mse"),
            training=Training(
                steps=2300, optimizer="muon", rate=2e-3, warmup=64, decay="cosine", clip=0.3, ema=0.9922, preview_every=575
            ),
            sampling=Sampling(DDPM("small"), steps=25),
            prior=Likeness(),
        )
    if preset in ("best", "gpu"):
        network = PatchUNetConfig(patch=2, channels=64, multipliers=(1, 2, 2), kernels=(3, 3, 3), norm="pixel")
        training = replace(chosen.training, steps=5000, warmup=70, ema=0.9928, preview_every=600)
        chosen = replace(chosen, data=Crops(size=250, crop=144), network=network, training=training)
    if preset == "gpu":
        training = replace(chosen.training, steps=6000, batch=16, warmup=150, ema=0.997, save_every=2000, preview_every=6000)
        training = replace(training, captured=True, precision="bfloat16", layout="channels-last")
        chosen = replace(chosen, training=training, sampling=replace(chosen.sampling, captured=True))
    if degradation is None:
        return chosen
    if isinstance(degradation, GaussianNoise):
        return replace(chosen, degradation=degradation)
    cold = replace(chosen.sampling, sampler=Improved(), clip=False)
    return replace(
        chosen,
        degradation=degradation,
        prediction="residual",
        objective=Objective("l1"),
        sampling=cold,
        prior=None,
        show="restorations",
    )


main = cli.commands(recipe, __file__, __doc__, bundled_photograph, minutes=3)

if __name__ == "__main__":
    cli.run(main)
