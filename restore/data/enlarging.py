"""Images beside small copies of themselves, for a network that enlarges: the upper stages of a cascade."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from degrade import Cosine
from degrade.checks import bounded
from degrade.lazy import torch
from degrade.random import Stream, normal, seeded, uniform
from degrade.severity import per_sample
from degrade.transfer import like
from models.condition import Condition
from restore.data.batch import Batch, Batches
from restore.data.sources import Folder

if TYPE_CHECKING:
    from torch import Tensor

FEATURES = 16
"""Numbers that a level of noise is told in."""


@dataclass(frozen=True)
class Enlarging(Folder):
    """The images of a folder, each conditioned on a small copy of itself that was noised and enlarged.

    Conditioning augmentation (Ho et al. 2022, "Cascaded Diffusion Models", arXiv 2106.15282, section 4.2): the noise hides
    what small pictures of another origin, such as samples, lack; its level, most u^2 for uniform u, so that little noise is not
    rare, is drawn for each image, and told to the network (Saharia et al. 2022, Imagen, arXiv 2205.11487, section 2.4).
    """

    small: int = 16
    """Side of the small copies, pixels."""
    most: float = 0.1
    """The largest level of noise, a severity of the cosine schedule."""

    def __post_init__(self) -> None:
        super().__post_init__()
        bounded(self, small=(1, self.size), most=(0, 0.99))

    def open(self, path: Path, device: torch.device | str = "cpu", paired: Path | None = None) -> Batches:
        batches = super().open(path, device, paired)

        def told(images: Tensor, count: int, generator: torch.Generator, shard: slice) -> Condition:
            small = reduced(images, self.small)
            level = self.most * uniform((count,), generator)[shard].square()
            noise = normal((count, *small.shape[1:]), generator)[shard]
            return enlarged(small, self.size, like(level, small), like(noise, small))

        def draw(count: int, generator: torch.Generator, shard: slice = slice(None)) -> Batch:
            batch = batches.draw(count, generator, shard)
            seen = told(batch.x0, count, generator, shard)
            return batch._replace(condition=batch.condition._replace(image=seen.image, pooled=seen.pooled))

        few = batches.images[:4]
        known = told(few, len(few), seeded(0, Stream.TEST), slice(None))
        return batches._replace(draw=draw, told=known)


def reduced(images: Tensor, small: int) -> Tensor:
    """Images (B, C, H, W) whose shorter side is `small`."""
    scale = small / min(images.shape[-2:])
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return torch.nn.functional.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def enlarged(small: Tensor, size: int, level: Tensor, noise: Tensor) -> Condition:
    """What a network that enlarges is told: alpha small + sigma noise, its shorter side made `size`, and the level (B,)."""
    from models.layers.embedding import sinusoid

    alpha, sigma = (per_sample(c, small) for c in Cosine().coefficients(level))
    scale = size / min(small.shape[-2:])
    to = [round(side * scale) for side in small.shape[-2:]]
    image = torch.nn.functional.interpolate(alpha * small + sigma * noise, to, mode="bicubic", align_corners=False)
    return Condition(image=image, pooled=sinusoid(1000 * level, FEATURES, 1000.0))
