"""A cascade: images of 16 px by one run, enlarged to 64 px by another, which makes up what they lack.

Ho et al. 2022, "Cascaded Diffusion Models for High Fidelity Image Generation", arXiv 2106.15282; Saharia et al. 2022 (Imagen),
arXiv 2205.11487.

    python recipes/simple_diffusion.py train folder/ --data.size 16 --out runs/small
    python recipes/cascade.py train folder/ --out runs/large
    python recipes/cascade.py generate runs/large --base runs/small --count 16    # both stages
    python recipes/cascade.py enlarge runs/large small.png                        # a picture of yours, four times as large

The upper stage is conditioned on the small picture, enlarged and noised to a level that the network is told. It predicts the
detail, what an image has beyond that, and begins with none.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import tyro

from degrade import Cosine, Degradation, GaussianNoise, Identity
from degrade.files import subfolder
from models import UNetConfig
from recipes import simple_diffusion
from recipes.command import cli
from recipes.command.limits import COUNT, check_options
from recipes.command.outputs import Outputs, check_outputs, plain_stem
from recipes.command.training import Preset
from recipes.command.walk import SamplerName, Walk
from restore import Folder, Objective
from restore.data.enlarging import FEATURES, Enlarging
from restore.own_types import types_in
from restore.pipelines.cascade import LEVEL, enlarge
from restore.recipe import Recipe
from restore.training.condition_dropout import ConditionDropout

if TYPE_CHECKING:
    from torch import Tensor

    from restore.pipelines.published import Published
    from restore.run import Run


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """The upper stage: simple diffusion's settings, a U-Net that sees a small picture of 1/4 of the side, enlarged.

    `paper`: 256 px from 64; `fast`: 64 px from 16, three levels of 32 to 128 channels behind a stem of
    squares of 2 x 2 pixels.
    """
    chosen = simple_diffusion.recipe(images, preset, degradation or GaussianNoise(Cosine()))
    large = preset == "paper"
    old = chosen.data
    assert isinstance(old, Folder)
    size = 256 if large else old.size
    data = Enlarging(size, max(old.reduce, size if large else 0), old.channels, old.flip, small=max(4, size // 4))
    network = UNetConfig(data.channels, (32, 64, 128), (1, 1, 1), (0.0, 0.0, 0.0), attention=(), groups=8)
    if large:
        network = UNetConfig(data.channels, (128, 256, 512, 512), (2, 2, 2, 2), (0.0, 0.0, 0.1, 0.1), attention=())
    return replace(
        chosen,
        data=data,
        network=replace(network, picture=data.channels, pooled=FEATURES),
        prediction="detail",
        objective=Objective(),
        training=replace(chosen.training, condition_dropout=ConditionDropout(image=0.0, pooled=0.0)),
        stem=None if large else chosen.stem,
        show="enlargements",
        sampling=replace(chosen.sampling, steps=12, guidance=1.0),
    )


@dataclass(frozen=True)
class _Enlarging(Walk):
    _: KW_ONLY
    level: float = 0.0
    """Noise that small pictures get: more of it, and more is made up; at most what was trained with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, level=(0, 1))

    def written(self, stage: Run | Published, small: Tensor, out: Outputs) -> None:
        images = enlarge(stage, small, self.level, self.seed)
        for image, name in zip(images, out.files, strict=True):
            out.save(name, image, {"run": str(self.run), **stage.origin, "level": f"{self.level:g}"})
        print(out.said())


@dataclass(frozen=True)
class Generate(_Enlarging):
    """New images by both stages: `base` makes small ones, this run enlarges them."""

    _: KW_ONLY
    base: Path
    """Folder of the run that makes small images."""
    level: float = LEVEL
    """Noise that small images get: more of it, and more is made up; at most what was trained with."""
    count: int = 4
    """Images."""
    steps: int | None = None
    """Steps of the walk back of each stage (default: the recipes')."""
    sampler: SamplerName | None = None
    """Step rule of both stages (default: the recipes')."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT)

    def __call__(self) -> None:
        names = [f"cascade-seed-{self.seed + i}" for i in range(self.count)]
        out = check_outputs(self.out, subfolder(self.run, "samples"), names)
        stage = self.opened()
        self.written(stage, self._small(stage.size[0]).generate(count=self.count, seed=self.seed), out)

    def _small(self, channels: int) -> Run | Published:
        """What makes small images of so many channels. ValueError in one line for what makes none of nothing, or others."""
        from restore.run import open_run

        base = self.walking(open_run(self.base, self.device, types_in(self.types)))
        if isinstance(base.data, Enlarging) or isinstance(base.degradation, Identity):
            makes = "enlarges pictures" if isinstance(base.data, Enlarging) else "is an autoencoder"
            raise ValueError(f"{base.name} {makes}, and makes none of nothing: --base names a run that makes small images.")
        if base.size[0] != channels:
            raise ValueError(f"{base.name} makes images of {base.size[0]} channels, {self.run} enlarges those of {channels}.")
        return base


@dataclass(frozen=True)
class Enlarge(_Enlarging):
    """A small picture, enlarged."""

    image: tyro.conf.Positional[Path]
    """The picture."""

    def __call__(self) -> None:
        from restore.data.images import load_image

        out = check_outputs(self.out, subfolder(self.run, "enlarged"), [plain_stem(self.image)], inputs=(self.image,))
        stage = self.opened()
        self.written(stage, load_image(self.image, None, stage.size[0])[None], out)


main = cli.commands(
    recipe,
    __file__,
    __doc__,
    lambda: "photographs",
    more=(
        Annotated[Generate, tyro.conf.subcommand("generate")],
        Annotated[Enlarge, tyro.conf.subcommand("enlarge")],
    ),
)

if __name__ == "__main__":
    cli.run(main)
