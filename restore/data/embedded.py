"""Images that are told their own embedding: what a decoder of embeddings learns from (unCLIP)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from degrade.lazy import torch
from models.condition import Condition
from restore.autoencoder import TrainedAutoencoder
from restore.data.batch import Batch, Batches
from restore.data.images import ImageError
from restore.data.sources import Folder
from restore.latents import Latents
from restore.space import encoded, measured

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Embedded(Folder):
    """The images of a folder, each conditioned on its embedding: the one cell (D,) that an autoencoder makes of all of it."""

    embedding: Latents = field(default_factory=lambda: Latents(TrainedAutoencoder(), scale=0.0))
    """Whose latents are the embedding, and their scale, which is measured when a training begins."""

    def fitted(self, path: Path, device: torch.device | str = "cpu") -> Self:
        """The same with the autoencoder pinned to its weights, and the scale measured on training images."""
        return replace(self, embedding=measured(self.embedding, super().open(path, device).images))

    def open(self, path: Path, device: torch.device | str = "cpu", paired: Path | None = None) -> Batches:
        batches = super().open(path, device, paired)
        if self.embedding.stride < self.size:
            raise ImageError(
                f"an embedding is one cell, and the autoencoder makes {-(-self.size // self.embedding.stride)} along a side of "
                f"images of {self.size} pixels: take one with more levels (--network.widths), or smaller images."
            )

        def told(batch: Batch) -> Batch:
            return batch._replace(condition=batch.condition._replace(pooled=embedded(self.embedding, batch.x0)))

        few = Condition(pooled=embedded(self.embedding, batches.images[:4]))
        return batches._replace(draw=lambda *args: told(batches.draw(*args)), told=few)


def embedded(space: Latents, images: Tensor) -> Tensor:
    """The embeddings (B, D) of images (B, C, H, W) that are one cell of `space`."""
    with torch.no_grad():
        return encoded(space, images).flatten(1)
