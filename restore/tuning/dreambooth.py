"""DreamBooth: a subject of a few pictures, which a rare word names from then on.

Ruiz et al. 2022, "DreamBooth: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation", arXiv 2208.12242,
section 3: the network is trained on pictures of the subject, told "a [token] [noun]", and on images that it made itself before,
told "a [noun]", so that it forgets neither what the noun means nor how different its kind can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from degrade.checks import bounded
from degrade.lazy import torch
from degrade.random import integers
from models import Condition
from restore.data.batch import Batch, Batches
from restore.data.images import save_image
from restore.pipelines.network import NetworkPipeline
from restore.pipelines.published import Published

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restore.tuning.tuned import Look

TOKEN = "zq"
"""A word that nothing is called."""
CLASS = "class"
"""Folder of the images that the network made of the noun."""


@dataclass(frozen=True)
class DreamBoothSettings:
    """How it is trained; the defaults were published for Stable Diffusion."""

    steps: int = 400
    """Updates of the weights: too many, and nothing but the subject's pictures is left."""
    rate: float = 5e-6
    """Learning rate."""
    batch: int = 2
    """Images a step, half of them the subject's; all of them without prior preservation."""
    prior: float = 1.0
    """lambda, the weight of prior preservation: mean loss of the subject + lambda mean loss of the class; 0 for none."""
    class_images: int = 100
    """Images that the network makes of the noun beforehand."""
    seed: int = 0
    """Of all that is random."""

    def __post_init__(self) -> None:
        bounded(self, steps=(1, 10**6), rate=(1e-9, 10), batch=(1, 4096), prior=(0, 1000))
        bounded(self, class_images=(1, 10**5), seed=(0, 2**63 - 1))
        if self.prior and self.batch < 2:
            raise ValueError(
                "prior preservation takes images of subject and class in each step: batch is at least 2, or prior 0."
            )


def suited(pipeline: NetworkPipeline) -> DreamBoothSettings:
    """The published settings for a published model; fewer steps at a higher rate for a small network of one's own."""
    return DreamBoothSettings() if isinstance(pipeline, Published) else DreamBoothSettings(200, 3e-4, 16)


def captions(noun: str, token: str = TOKEN) -> tuple[str, str]:
    """What the subject is called, and its class. ValueError in one line for a token or a noun that is none."""
    if not noun.strip() or not token.strip() or " " in token.strip():
        raise ValueError(f"a subject is a word and a noun, such as {TOKEN} and dog, got {token!r} and {noun!r}.")
    if token.strip() in noun.split():
        raise ValueError(f"{token!r} is part of the noun {noun!r}: choose a word that nothing is called, such as {TOKEN}.")
    return f"a {token.strip()} {noun.strip()}", f"a {noun.strip()}"


def dreambooth(
    pipeline: NetworkPipeline,
    subject: Sequence[Tensor],
    noun: str,
    folder: str | Path,
    settings: DreamBoothSettings | None = None,
    token: str = TOKEN,
    images: Path | None = None,
    look: Look | None = None,
    every: int = 0,
) -> NetworkPipeline:
    """A copy of the pipeline that knows `subject`, pictures (C, H, W) in [-1, 1] of one size, as "a [token] [noun]".

    It is left in `folder`, new or empty, with the images of the noun that it was trained on (class/); nothing is where it is
    stopped or fails. Words are read as before: a text encoder is not trained. settings: by default those that suit the
    pipeline. images: the folder of the pictures. look: called with the pipeline and its step, every so many steps. Raises
    ValueError in one line for pictures that do not fit, and for a pipeline that reads no words.
    """
    from restore.tuning.tuned import begun, cells, short_training, tuned

    settings = settings or suited(pipeline)
    named, kind = captions(noun, token)
    if not subject:
        raise ValueError("a subject is learned from pictures of it, three to five for example; there are none.")
    if len({tuple(picture.shape) for picture in subject}) > 1 or subject[0].ndim != 3:
        sizes = ", ".join(str(tuple(picture.shape)) for picture in subject[:4])
        raise ValueError(f"pictures of a subject are (C, H, W), of one size, got {sizes}: cut them alike.")
    told = [pipeline.embedded(caption) for caption in (named, kind)]
    own = cells(pipeline, torch.stack(list(subject)))
    training = short_training(pipeline, settings.steps, settings.rate, settings.batch, settings.seed)
    training = replace(training, preview_every=every or settings.steps)
    with begun(folder, CLASS) as home:
        others = own[:0]
        if settings.prior:
            height, width = subject[0].shape[1:]
            made = pipeline.generate((height, width), settings.class_images, settings.seed, condition=kind)
            for number, image in enumerate(made):
                save_image(image, home / CLASS / f"{number:04d}.png")
            others = cells(pipeline, made)
        return tuned(pipeline, both(own, others, told, settings.prior), training, home, images, look)


def both(own: Tensor, others: Tensor, told: Sequence[Condition], prior: float) -> Batches:
    """Batches of which half are of x0 `own` (N, C, *space), told told[0], half of `others` (M, ...), told told[1], whose mean
    loss is that of the first half + prior times that of the second; all are of `own` where there are no others."""
    said = _joined(told)

    def draw(count: int, generator: Generator, shard: slice = slice(None), /) -> Batch:
        first = count - count // 2 if len(others) else count
        which = integers(len(own), (first,), generator)
        x0, kind = own[which], torch.zeros(count, dtype=torch.long)
        weight = torch.full((count,), count / first)
        if first < count:
            x0 = torch.cat([x0, others[integers(len(others), (count - first,), generator)]])
            kind[first:], weight[first:] = 1, prior * count / (count - first)
        return Batch(x0[shard], said.map(lambda part: part[kind[shard]]), weight=weight[shard])

    return Batches(draw, own)


def _joined(told: Sequence[Condition]) -> Condition:
    """Conditions of one image each as one of a batch, with as many tokens as the longest."""
    longest = max(one.tokens.shape[1] for one in told if one.tokens is not None)

    def filled(part: Tensor) -> Tensor:
        return torch.cat([part, part.new_zeros(1, longest - part.shape[1], *part.shape[2:])], dim=1)

    parts = {}
    for name in told[0]._fields:
        values = [getattr(one, name) for one in told]
        if values[0] is not None:
            parts[name] = torch.cat([filled(value) if name in ("tokens", "mask") else value for value in values])
    return Condition(**parts)
