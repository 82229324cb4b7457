"""Judging samples of a single-image model without a pretrained network (Simakov et al. 2008; Shaham et al. 2019).

Patches are compared in pixels of [0, 1], by root mean square distance to the nearest patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


LARGEST_PATCH = 15
"""Side of the patches that `copied` compares, pixels: no image may be smaller."""


class Report(NamedTuple):
    """Figures of a set of samples (lower is better for the first two)."""

    coherence: float
    """Mean distance of the samples' patches to the nearest training patch: artefacts raise it."""
    completeness: float
    """Mean distance of the training patches to the nearest patch of any sample: what is left out raises it."""
    diversity: float
    """Per-pixel standard deviation over the samples / that of the training image; nan for one sample, or a training image of
    one colour."""
    copied: float
    """Share of patches whose nearest training patch continues that of their left neighbour: 1 for a copy; nan where no patch
    has one (less than 17 pixels wide)."""


def judge(samples: Sequence[Tensor], training: Tensor, every: int = 1) -> Report:
    """The report of `samples` (C, H_i, W_i), which together are held against `training` (C, H, W), all in [-1, 1].

    With `every` > 1 only every so many-th patch is looked up, among all others: as much faster, and nearly the same. Raises
    ValueError for an image with a side below 15 pixels.
    """
    at_least(LARGEST_PATCH, training, *samples)
    return Report(
        coherence=coherence(samples, training, every=every),
        completeness=completeness(samples, training, every=every),
        diversity=diversity(samples, training),
        copied=sum(copied(x, training, every=every) for x in samples) / len(samples),
    )


def coherence(samples: Sequence[Tensor], training: Tensor, side: int = 7, octaves: int = 3, every: int = 1) -> float:
    """Mean distance of the patches of all samples to the nearest training patch, over octaves of size."""
    return _mean_over_octaves(samples, [training], side, octaves, every)


def completeness(samples: Sequence[Tensor], training: Tensor, side: int = 7, octaves: int = 3, every: int = 1) -> float:
    """Mean distance of the training patches to the nearest patch of all samples, over octaves of size."""
    return _mean_over_octaves([training], samples, side, octaves, every)


def diversity(samples: Sequence[Tensor], training: Tensor) -> float:
    """Standard deviation over samples, mean over pixels and channels, / standard deviation of the training image (SinGAN,
    section 4). Samples of another size are brought to that of the training image."""
    if len(samples) < 2 or training.amin() == training.amax():
        return float("nan")
    size = training.shape[-2:]
    same = [x if x.shape[-2:] == size else _resized(x, size=size) for x in samples]
    return float(torch.stack(same).float().std(0).mean() / training.float().std())


def copied(sample: Tensor, training: Tensor, side: int = LARGEST_PATCH, stride: int = 2, every: int = 1) -> float:
    """Share of patches, `stride` apart, whose nearest training patch lies `stride` right of their left neighbour's."""
    at_least(side, sample, training)
    query, key = _patches([sample], side, stride), _patches([training], side)
    columns = (sample.shape[-1] - side) // stride + 1
    rows = query.reshape(-1, columns, query.shape[1])[::every]
    place = nearest(rows.flatten(0, 1), key)[1].reshape(-1, columns)
    width = training.shape[-1] - side + 1
    y, x = place // width, place % width
    follows = (y[:, 1:] == y[:, :-1]) & (x[:, 1:] == x[:, :-1] + stride)
    return float(follows.float().mean())


def _mean_over_octaves(images: Sequence[Tensor], references: Sequence[Tensor], side: int, octaves: int, every: int) -> float:
    """The mean distance of patches of `images` to the nearest of `references`, over octaves: each time at half the size.

    An octave in which a patch takes up more than half of a side is left out: there is hardly a choice of patches in it.
    """
    at_least(side, *images, *references)
    distances: list[float] = []
    while len(distances) < octaves:
        distances.append(float(nearest(_patches(images, side)[::every], _patches(references, side))[0].mean()))
        images, references = ([_resized(x, scale_factor=0.5) for x in group] for group in (images, references))
        if min(min(x.shape[-2:]) for x in (*images, *references)) < 2 * side:
            break
    return sum(distances) / len(distances)


def nearest(query: Tensor, key: Tensor, block: int = 2048) -> tuple[Tensor, Tensor]:
    """For each query (Q, D): the root mean square distance to the nearest key (K, D), and its index. Exact, in blocks."""
    centre = key.mean(0)
    query, key = query - centre, key - centre  # small numbers, so that the expanded square loses no digits
    half = key.square().sum(1) / 2
    index = torch.cat([(half - part @ key.T).argmin(1) for part in query.split(block)])
    return (query - key[index]).square().mean(1).sqrt(), index


def _resized(x: Tensor, **to: Any) -> Tensor:
    return torch.nn.functional.interpolate(x[None].float(), mode="bicubic", antialias=True, **to)[0]


def _patches(images: Sequence[Tensor], side: int, stride: int = 1) -> Tensor:
    """All patches of images (C, H, W) in [-1, 1] as rows (N, C side side) in [0, 1]."""
    return torch.cat([torch.nn.functional.unfold((x[None].float() + 1) / 2, side, stride=stride)[0].T for x in images])


def at_least(side: int, *images: Tensor) -> None:
    """Raises ValueError unless every image has a patch of this side."""
    for x in images:
        if min(x.shape[-2:]) < side:
            raise ValueError(
                f"an image of {x.shape[-2]} x {x.shape[-1]} pixels has no {side} x {side} patch: give a larger one."
            )
