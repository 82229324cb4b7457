"""AutoencoderKL: the autoencoder of latent diffusion (Rombach et al. 2022, arXiv 2112.10752, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from models.pretrained.network import Load, running

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class AutoencoderKL:
    """Images (B, C, H, W) in [-1, 1] to latents (B, D, H/f, W/f) and back, always in float32, which some of them need
    (`force_upcast`), on the module's device; results lie where the input does."""

    load: Load
    config: Mapping[str, Any]

    def __post_init__(self) -> None:
        channels = [self.config.get(f"{end}_channels", 3) for end in ("in", "out")]
        if channels != [3, 3]:
            raise ValueError(f"AutoencoderKL of images of 3 channels is served, got in_channels, out_channels of {channels}.")
        for key in ("scaling_factor", "shift_factor"):
            if isinstance(value := self.config.get(key), bool) or not isinstance(value, int | float | None):
                raise ValueError(f"{key} of AutoencoderKL is a number, got {str(value)[:40]!r}.")
        if self.config.get("latents_mean") is not None or self.config.get("latents_std") is not None:
            raise ValueError(
                "AutoencoderKL with a mean and a deviation for each channel is not served: latents_mean, latents_std."
            )

    @property
    def stride(self) -> int:
        """f: pixels of an image to a cell, along each side."""
        return 2 ** (len(self.config["block_out_channels"]) - 1)

    @property
    def channels(self) -> int:
        return int(self.config["latent_channels"])

    @property
    def scale(self) -> float:
        """What latents are multiplied by for the network."""
        return float(self.config.get("scaling_factor") or 0.18215)

    @property
    def shift(self) -> float:
        """What is taken from them before."""
        return float(self.config.get("shift_factor") or 0.0)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of images."""
        module = self.load()
        with running(module):
            posterior = module.encode(images.to(module.device, torch.float32)).latent_dist
        return posterior.mean.to(images.device), posterior.std.to(images.device)

    def decode(self, latents: Tensor) -> Tensor:
        module = self.load()
        with running(module):
            return module.decode(latents.to(module.device, torch.float32)).sample.to(latents.device)
