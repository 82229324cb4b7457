"""unCLIP: words to the embedding of an image, by a prior; and that to the image, by a decoder.

Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents", arXiv 2204.06125, section 2: P(x | y) =
P(x | z) P(z | y), z being the image's embedding. Theirs is CLIP's; here it is the one cell of an autoencoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from degrade.lazy import torch
from models import Condition
from restore.data.embedded import Embedded, embedded
from restore.latents import Latents
from restore.pipelines.conditioning import Asked, of_images
from restore.pipelines.generation import UNEDITED
from restore.pipelines.network import NetworkPipeline

if TYPE_CHECKING:
    from torch import Tensor


def check_pair(prior: NetworkPipeline, decoder: NetworkPipeline) -> None:
    """Raises ValueError, in one line, unless the decoder was trained on the embeddings that the prior makes."""
    _embedding(decoder)
    if not isinstance(prior.space, Latents):
        raise ValueError(f"{prior.name} makes images, no embeddings: the prior is a run of unclip.py train --preset prior.")
    if max(prior.padded((prior.size[1], prior.size[2]))) > 1:
        pixels = f"{prior.size[1]} x {prior.size[2]} pixels"
        raise ValueError(
            f"{prior.name} makes more than the one cell that an embedding is, of {pixels}: train it at --data.size "
            f"{prior.space.stride}, or the autoencoder with more levels (--network.widths)."
        )
    if prior.space.codec != _embedding(decoder).codec:
        raise ValueError(f"{prior.name} and {decoder.name} have embeddings of two autoencoders: train both with one.")


def _embedding(decoder: NetworkPipeline) -> Latents:
    if not isinstance(decoder.data, Embedded):
        raise ValueError(f"{decoder.name} decodes no embeddings: the decoder is a run of unclip.py train --preset decoder.")
    return decoder.data.embedding


def unclip(
    prior: NetworkPipeline,
    decoder: NetworkPipeline,
    condition: Asked = None,
    count: int = 1,
    seed: int = 0,
    *,
    batch: int = 16,
    progress: bool = True,
) -> Tensor:
    """Images (count, C, H, W) in [-1, 1] of the embeddings that the prior makes of `condition`; image i has the seed
    `seed + i` in both. Raises ValueError in one line for runs that do not belong together."""
    check_pair(prior, decoder)
    made = []
    for first in range(0, count, batch):
        numbers = range(seed + first, seed + min(first + batch, count))
        asked = of_images(condition, slice(first, first + len(numbers)), count)
        x = prior._made((prior.size[1], prior.size[2]), numbers, asked, UNEDITED, progress, None)
        assert isinstance(prior.space, Latents)
        space = _embedding(decoder)
        pooled = space.scale * (x.flatten(1) / prior.space.scale + prior.space.shift - space.shift)
        told = Condition(pooled=pooled)
        made.append(decoder.generate(count=len(numbers), seed=numbers[0], condition=told, batch=batch, progress=progress))
    return torch.cat(made)


def variations(decoder: NetworkPipeline, picture: Tensor, count: int = 1, seed: int = 0, progress: bool = True) -> Tensor:
    """Images (count, C, H, W) with the embedding of `picture` (C, H, W) (section 3.1): what it tells stays, the rest is new."""
    space = _embedding(decoder)
    if picture.shape[0] != decoder.size[0] or max(picture.shape[1:]) > space.stride:
        expected = (decoder.size[0], decoder.size[1], decoder.size[2])
        raise ValueError(f"{decoder.name} varies pictures of shape {expected}, got {tuple(picture.shape)}.")
    told = Condition(pooled=embedded(space, picture[None].to(decoder.device)))
    return decoder.generate((picture.shape[1], picture.shape[2]), count, seed, condition=told, progress=progress)
