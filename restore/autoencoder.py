"""The autoencoder of a run (recipes/autoencoder.py) as the codec of a space."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from tyro.conf import arg

from models import NETWORKS, AutoencoderConfig
from restore.storage.checkpoint import Checkpoint, CheckpointError, open_checkpoint, seal
from restore.storage.specification import SpecificationError, decode, encode

if TYPE_CHECKING:
    from torch import Tensor

    from models import Autoencoder


PACKED = "autoencoder"
"""The folder that it lies in within that of a shared run."""


@dataclass(frozen=True)
class TrainedAutoencoder:
    """Named by the folder of its run, and pinned to the weights that it had when a training in its latents began.

    Its files are read when they are first needed. Raises CheckpointError in one line where they are not there, are no
    autoencoder's, or hold other weights.
    """

    autoencoder: Annotated[Path, arg(prefix_name=False)] = Path()
    """Folder of a run of recipes/autoencoder.py."""
    weights: str = ""
    """SHA-256 of its weights, which no others are taken for (default: those that it has)."""

    @property
    def config(self) -> AutoencoderConfig:
        return _config(self.autoencoder, self.weights)

    @property
    def stride(self) -> int:
        return self.config.stride

    @property
    def channels(self) -> int:
        return self.config.latent_channels

    def pinned(self, image_channels: int) -> TrainedAutoencoder:
        """The same, by its absolute folder and the weights that it has now, for images of so many channels."""
        folder, weights = self.autoencoder.resolve(), _checkpoint(self.autoencoder, self.weights).sums["ema.safetensors"]
        pinned = replace(self, autoencoder=folder, weights=weights)
        if pinned.config.image_channels != image_channels:
            raise ValueError(
                f"the autoencoder {self.autoencoder} takes images of {pinned.config.image_channels} channels, these have "
                f"{image_channels}: --data.channels {pinned.config.image_channels}."
            )
        return pinned

    def packed(self, home: Path) -> TrainedAutoencoder:
        """Copies what it reads into `home`, its network's settings and weights; the same, named from there."""
        checkpoint, folder = _checkpoint(self.autoencoder, self.weights), home / PACKED
        checkpoint.verify()
        folder.mkdir()
        known = {"recipe": {"network": encode(self.config)}, "format": checkpoint.run["format"], "step": checkpoint.step}
        (folder / "run.json").write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        shutil.copyfile(checkpoint.folder / "ema.safetensors", folder / "ema.safetensors")
        seal(folder)
        return replace(self, autoencoder=Path(PACKED), weights=checkpoint.sums["ema.safetensors"])

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of images."""
        return self._network(images).encode(images.float())

    def decode(self, latents: Tensor) -> Tensor:
        return self._network(latents).decode(latents.float())

    def _network(self, like: Tensor) -> Autoencoder:
        return _network(self.autoencoder, self.weights, str(like.device))


def found(stored: Any, home: Path) -> Any:
    """A stored specification; an autoencoder that came with the shared run in `home` is named from there."""
    if isinstance(stored, list):
        return [found(value, home) for value in stored]
    if not isinstance(stored, dict):
        return stored
    if stored.get("type") == TrainedAutoencoder.__name__ and stored.get("autoencoder") == PACKED:
        return {**stored, "autoencoder": str(home / PACKED)}
    return {name: found(value, home) for name, value in stored.items()}


def _checkpoint(folder: Path, weights: str) -> Checkpoint:
    if folder == Path():
        raise ValueError("latents are those of an autoencoder: --autoencoder names the folder of a run of autoencoder.py.")
    try:
        checkpoint = open_checkpoint(folder)
    except CheckpointError as error:
        raise CheckpointError(f"the autoencoder cannot be opened: {error}") from None
    if weights not in ("", checkpoint.sums.get("ema.safetensors")):
        raise CheckpointError(
            f"the autoencoder {folder} has other weights than those that were trained with, {weights[:16]}: it was trained on "
            "since. Bring those back, or train in its latents anew."
        )
    return checkpoint


@lru_cache(maxsize=8)
def _config(folder: Path, weights: str) -> AutoencoderConfig:
    checkpoint = _checkpoint(folder, weights)
    try:
        return cast(AutoencoderConfig, decode(checkpoint.run["recipe"]["network"], NETWORKS, AutoencoderConfig, path="network"))
    except (SpecificationError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is no run of an autoencoder: {error}") from None


@lru_cache(maxsize=4)
def _network(folder: Path, weights: str, device: str) -> Autoencoder:
    network = _config(folder, weights).build()
    _checkpoint(folder, weights).load("ema", dict(network.named_parameters()))
    return cast("Autoencoder", network.to(device).eval().requires_grad_(False))


CODECS = (TrainedAutoencoder,)
