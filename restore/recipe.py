"""What a run is made of: the dataclass that is the Python interface, the command line and the checkpoint's JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import AvoidSubcommands, Positional

from degrade import (
    COUPLINGS,
    OPERATORS,
    PRIORS,
    SCHEDULES,
    Compose,
    Coupling,
    Curve,
    Degradation,
    GaussianNoise,
    Independent,
    Prior,
    Stage,
    Thumbnails,
)
from degrade.couplings import partners
from degrade.lazy import torch
from degrade.random import Stream, globally_seeded
from models import NETWORKS, STEMS, AutoencoderConfig, NetworkSettings, PatchUNetConfig, Stem
from restore.autoencoder import CODECS
from restore.data.embedded import Embedded
from restore.data.enlarging import Enlarging
from restore.data.instructions import Instructions
from restore.data.sources import SOURCES, Crops, Measuring, Pairing, Source
from restore.latents import Latents
from restore.machine.processes import ALONE, Processes
from restore.own_types import choice, setting
from restore.parametrisation import Prediction
from restore.pictures import Show
from restore.pipelines.likeness import Likeness, LikenessPrior
from restore.sampling import Sampling
from restore.space import SPACES, Fitting, Pixels, Space, encoded, measured
from restore.training.condition_dropout import ConditionDropout
from restore.training.objectives import Objective
from restore.training.reconstruction import Reconstruction
from restore.training.settings import Training
from restore.training.times import TIMES
from samplers import GRIDS, SAMPLERS, Resampled

if TYPE_CHECKING:
    from restore.data.batch import Batches
    from restore.training.trainer import Trainer


READS = 128
"""Channels of the text encoder that a network gets where its images have captions and its settings say nothing."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a run is made of, as plain numbers."""

    images: Positional[Path]
    """The photograph, or the folder of images, to learn from; or a set by name: digits, photographs, captioned, instructed."""
    degradation: Annotated[Degradation, choice(Degradation, OPERATORS)] = field(default_factory=GaussianNoise)
    """What is to be undone."""
    data: Annotated[Source, setting(Source, (*SOURCES, Enlarging, Instructions, Embedded))] = field(default_factory=Crops)
    """How training images are cut."""
    network: Annotated[NetworkSettings, setting(NetworkSettings, NETWORKS)] = field(default_factory=PatchUNetConfig)
    """The network."""
    stem: AvoidSubcommands[Stem | None] = None
    """What makes images smaller and deeper for the network, and its output an image again."""
    prediction: Prediction = "v"
    """What the network predicts."""
    objective: AvoidSubcommands[Objective | Reconstruction] = field(default_factory=Objective)
    """The distance that training lowers."""
    training: Training = field(default_factory=Training)
    """Steps, batches, rates."""
    sampling: Sampling = field(default_factory=Sampling)
    """How to sample by default."""
    show: Show = "samples"
    """What previews, and the end of a training, show."""
    space: Annotated[Space, setting(Space, (*SPACES, Latents))] = field(default_factory=Pixels)
    """What the network sees of an image: its pixels, or what an encoder makes of them."""
    coupling: Annotated[Coupling, setting(Coupling, COUPLINGS)] = field(default_factory=Independent)
    """How the latent of a training image, noise or another image, is drawn for it."""
    others: Path | None = None
    """Images of a second set, for image mixing to mix in (default: other images of the first)."""
    paired: Path | None = None
    """A folder with a degraded picture of the same name for each image: what `degradation` mixes in (Bridge, ImageMixing)."""
    prior: AvoidSubcommands[Thumbnails | Likeness | None] = None
    """Where generation starts (default: the degradation's own prior, fitted to the images), and what is kept of them."""

    def __post_init__(self) -> None:
        if self.others is not None and not partners(self.degradation):
            raise ValueError(
                f"a second set of images serves image mixing only, not {type(self.degradation).__name__}: leave out others."
            )

        if self.paired is not None and (self.others is not None or partners(self.degradation) != 1):
            raise ValueError(
                "paired pictures serve degradations that mix in one other image (Bridge, ImageMixing), without a second set; "
                f"this is {type(self.degradation).__name__}."
            )
        if self.paired is not None and not isinstance(self.data, Pairing):
            raise ValueError(f"{type(self.data).__name__} reads no pairs: use Folder.")
        if isinstance(self.objective, Reconstruction) and (self.stem or not isinstance(self.network, AutoencoderConfig)):
            raise ValueError("reconstruction is the objective of an autoencoder: network=AutoencoderConfig(), and no stem.")

    def fitted(self, device: str) -> Recipe:
        """The same with what its space, or its source, measures on the training images."""
        recipe = self
        if isinstance(recipe.data, Measuring):
            recipe = replace(recipe, data=recipe.data.fitted(recipe.images, device))
        if isinstance(recipe.space, Fitting):
            recipe = replace(recipe, space=measured(recipe.space, recipe.data.open(recipe.images, device).images))
        return recipe

    def open(self, device: str) -> tuple[Batches, Prior]:
        """The training images, whose draws are encoded, and the prior fitted to them. ImageError in one line for bad files."""
        data = self.data
        if hasattr(data, "multiple"):  # no part of an image is learned with padding around it
            data = replace(data, multiple=math.lcm(data.multiple, self.stride * self.space.stride))  # type: ignore[type-var]
        if getattr(self.coupling, "pairs", False) and self.paired is None:
            raise ValueError("pairs are two folders: --paired names that of the degraded pictures.")
        paired = () if self.paired is None else (self.paired,)
        batches = data.open(self.images, device, *paired)
        channels = self.space.channels(batches.images.shape[1])
        if channels != self.network.image_channels:
            told = f" --network.picture {channels}" if getattr(self.network, "picture", 0) else ""
            raise ValueError(
                f"the images have {channels} channels, the network takes {self.network.image_channels}: "
                f"--network.image-channels {channels}{told}."
            )
        others = data.open(self.others, device) if self.others is not None else None
        encode = partial(encoded, self.space)
        known = encode((others or batches).images if batches.paired is None else batches.paired)
        prior = self.prior.fit(known, self.degradation) if self.prior is not None else self.degradation.prior(known)
        batches = batches if others is None else batches._replace(others=others.draw)
        return batches.encoded(encode), prior

    def for_captions(self, captions: tuple[str, ...]) -> Recipe:
        """The same recipe with a network that reads captions, where there are any. ValueError where it cannot be built to."""
        if not captions or "text" in self.accepts:
            return self
        if getattr(self.network, "text", None) != 0:
            raise ValueError(
                f"{type(self.network).__name__} reads no captions: choose UNetConfig, DiTConfig or a network of your own that "
                "accepts text, or leave out captions."
            )
        return replace(self, network=replace(self.network, text=READS))  # type: ignore[type-var]

    def with_classes(self, classes: tuple[str, ...]) -> Recipe:
        """The same recipe with a network for these classes. ValueError where it takes none, or another number of them."""
        if not classes:
            return self
        if self.classes not in (None, 0, len(classes)):
            raise ValueError(f"the images lie in folders of {len(classes)} classes, the network takes {self.classes}.")
        recipe = self if self.classes is None else replace(self, network=replace(self.network, classes=len(classes)))  # type: ignore[type-var]
        if "label" not in recipe.accepts:
            raise ValueError(
                f"{type(self.network).__name__} takes no classes: choose UNetConfig, DiTConfig or a network of your own that "
                "accepts a label, or leave out labelled."
            )
        return recipe

    @property
    def classes(self) -> int | None:
        """The number of classes among the network's settings; None where it has no such setting."""
        return getattr(self.network, "classes", None)

    @property
    def accepts(self) -> tuple[str, ...]:
        """The parts of a condition that the network takes."""
        with torch.device("meta"):
            return getattr(self.build(), "accepts", ())

    @property
    def stride(self) -> int:
        """Sides that are a multiple of this, cells of x, are what the network within its stem works on; others are padded."""
        return self.network.stride * (self.stem.stride if self.stem else 1)

    def build(self) -> torch.nn.Module:
        """The network, within its stem if there is one, with weights of torch's global generator."""
        return self.stem.build(self.network) if self.stem else self.network.build()

    def trainer(self, device: str, processes: Processes = ALONE) -> Trainer:
        """The trainer of this recipe at step 0, weights drawn from the seed."""
        from restore.training.trainer import Trainer

        with globally_seeded(self.training.seed, Stream.WEIGHTS):
            network = self.build()
        parts = (network, self.degradation, self.prediction, self.objective, self.training)
        return Trainer(*parts, device, processes, self.coupling)


ALLOWED = (
    *(Recipe, Sampling, Training, ConditionDropout, Objective, Thumbnails, Compose, Stage, Curve),
    *(Likeness, LikenessPrior, Reconstruction, Latents, *CODECS, Enlarging, Instructions, Embedded),
    *(*SPACES, *OPERATORS, *COUPLINGS, *SCHEDULES, *PRIORS, *NETWORKS, *STEMS, *SOURCES, *TIMES, *GRIDS, *SAMPLERS, Resampled),
)
"""The types that a stored specification may name."""
