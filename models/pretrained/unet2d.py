"""UNet2DModel: DDPM and its descendants, in pixels or in latents (Ho et al. 2020, arXiv 2006.11239)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.condition import Condition
from models.pretrained.network import Denoiser

if TYPE_CHECKING:
    from torch import Tensor, nn


class UNet2DModel(Denoiser):
    """Without a condition."""

    steps: ClassVar[int] = 1000
    unserved: ClassVar = ("class_embed_type", "num_class_embeds")

    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        return module(x, time).sample

    @property
    def stride(self) -> int:
        return 2 ** (len(self.config["block_out_channels"]) - 1)
