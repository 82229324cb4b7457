"""unCLIP: a prior makes the embedding of an image of words, a decoder the image of that; on a folder of captioned images.

Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents", arXiv 2204.06125.

    python recipes/unclip.py train captioned --preset autoencoder          # writes runs/captioned-autoencoder
    python recipes/unclip.py train captioned --preset prior --autoencoder runs/captioned-autoencoder --out runs/prior
    python recipes/unclip.py train captioned --preset decoder --autoencoder runs/captioned-autoencoder --out runs/decoder
    python recipes/unclip.py generate runs/prior --decoder runs/decoder --prompt "a large red three"
    python recipes/unclip.py vary runs/decoder three.png --count 8

CLIP's weights do not come with this project: the embedding is the one cell that an autoencoder of six levels makes of 32 x 32
pixels, of seven of the 64 x 64 that folders of yours are read at. It knows what a picture looks like, and nothing of words.
What it is worth: docs/tuning.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from degrade import Cosine, Degradation, GaussianNoise
from degrade.files import subfolder
from models import DiTConfig, UNetConfig
from recipes import autoencoder, text_to_image
from recipes.command import cli
from recipes.command.limits import COUNT, GUIDANCE, check_options
from recipes.command.outputs import Outputs, check_outputs
from recipes.command.source import worded
from recipes.command.walk import Walk
from restore import Folder, Objective
from restore.autoencoder import TrainedAutoencoder
from restore.data.embedded import Embedded
from restore.latents import Latents
from restore.own_types import types_in
from restore.recipe import Recipe
from restore.training.times import UniformTimes

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 64
"""Channels of the embedding."""
Preset = Literal["autoencoder", "prior", "decoder"]


def recipe(images: str | Path, preset: Preset = "autoencoder", degradation: Degradation | None = None) -> Recipe:
    """Three networks, in this order.

    `autoencoder`: that of recipes/autoencoder.py with so many levels that one cell is left, which is the embedding, by Muon:
    after as many steps of AdamW all but place and colour is in directions of a thousandth of the variance. `prior`: a
    transformer of 4 blocks on the embedding, which attends to the caption, predicts the embedding itself under the cosine
    schedule, 25 steps, guidance 4.
    `decoder`: the network and the training of text_to_image.py, told an embedding in place of words, guidance 2.
    """
    if preset == "autoencoder":
        whole = autoencoder.recipe(images, "fast", degradation)
        assert isinstance(whole.data, Folder)
        widths = (32, *[WIDTH] * (whole.data.size - 1).bit_length())  # each but the first halves the side
        network = replace(whole.network, widths=widths, latent_channels=WIDTH)  # type: ignore[type-var]
        return replace(whole, network=network, training=replace(whole.training, optimizer="muon", rate=5e-3, clip=0.3))
    plain = text_to_image.recipe(images, "fast", degradation)
    assert isinstance(plain.network, UNetConfig) and isinstance(plain.data, Folder)
    if preset == "decoder":
        known = {one.name: getattr(plain.data, one.name) for one in fields(plain.data)}
        network, walk = replace(plain.network, text=0, pooled=WIDTH), replace(plain.sampling, guidance=2.0, steps=25)
        return replace(plain, data=Embedded(**{**known, "captions": False}), network=network, sampling=walk)
    return replace(
        plain,
        degradation=degradation or GaussianNoise(Cosine()),
        network=DiTConfig(WIDTH, patch=1, width=256, depth=4, head=32, text=128),
        stem=None,
        prediction="x0",
        objective=Objective(),
        training=replace(plain.training, batch=64, optimizer="adamw", rate=1e-3, clip=1.0, times=UniformTimes()),
        sampling=replace(plain.sampling, guidance=4.0, steps=25),
        space=Latents(TrainedAutoencoder(), scale=0.0),
    )


@dataclass(frozen=True)
class _Made(Walk):
    _: KW_ONLY
    count: int = 4
    """Images."""
    guidance: float | None = None
    """Weight of the words, or of the embedding, 1 as learned (default: the recipe's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT, guidance=GUIDANCE)

    def outputs(self, name: str, *inputs: Path) -> Outputs:
        """Where the images go, and the grid. Raises ValueError in one line where they cannot be written."""
        names = [f"seed-{self.seed + i}" for i in range(self.count)]
        return check_outputs(self.out, subfolder(self.run, name), names, ("grid",), inputs)

    def written(self, images: Tensor, out: Outputs) -> None:
        from restore.data.images import grid

        for number, image in enumerate(images, self.seed):
            out.save(f"seed-{number}", image, {"run": str(self.run), "seed": str(number)})
        out.save("grid", grid(list(images), min(8, len(images))))
        print(out.said("grid"))


@dataclass(frozen=True)
class Generate(_Made):
    """New images by both; RUN is the prior."""

    _: KW_ONLY
    decoder: Path
    """Folder of the decoder's run."""
    prompt: str | None = None
    """Words that the images are to show (default: captions of the training images, in turn)."""
    negative: str | None = None
    """Words that guidance leads away from."""

    def __call__(self) -> None:
        from restore.pipelines.unclip import unclip
        from restore.run import open_run

        out = self.outputs("samples")
        prior = worded(self.opened().using(guidance=self.guidance), self.prompt, self.negative)
        decoder = self.walking(open_run(self.decoder, self.device, types_in(self.types)))
        self.written(unclip(prior, decoder, None, self.count, self.seed), out)


@dataclass(frozen=True)
class Vary(_Made):
    """New images with the embedding of a picture; RUN is the decoder."""

    image: Positional[Path]
    """The picture."""

    def __call__(self) -> None:
        from restore.pipelines.unclip import variations

        out = self.outputs("variations", self.image)
        decoder = self.opened().using(guidance=self.guidance)
        self.written(variations(decoder, decoder.data.middle(self.image), self.count, self.seed), out)


main = cli.commands(
    recipe,
    __file__,
    __doc__,
    lambda: "captioned",
    more=(Annotated[Generate, tyro.conf.subcommand("generate")], Annotated[Vary, tyro.conf.subcommand("vary")]),
)

if __name__ == "__main__":
    cli.run(main)
