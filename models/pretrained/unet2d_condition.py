"""UNet2DConditionModel: Stable Diffusion 1 and 2, and what inpaints with it (Rombach et al. 2022, arXiv 2112.10752)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from models.condition import Condition
from models.conditioning import with_picture
from models.pretrained.network import Encoding, Reader

if TYPE_CHECKING:
    from torch import Tensor, nn


class UNet2DConditionModel(Reader):
    """Conditioned on tokens, all of which it looks at, and where it takes more channels than it gives on a picture too."""

    guidance: ClassVar[float] = 7.5
    offset: ClassVar[int | None] = 1
    unserved: ClassVar = (
        "addition_embed_type",
        "class_embed_type",
        "num_class_embeds",
        "encoder_hid_dim_type",
        "time_cond_proj_dim",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.picture not in (0, self.channels, self.channels + 1):
            raise ValueError(
                f"UNet2DConditionModel with in_channels={self.channels + self.picture} and out_channels={self.channels} is not "
                "served: it is told a whole picture, or a mask and what it leaves, or none."
            )

    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        if condition.tokens is None:
            raise ValueError("this network is conditioned on words: give a prompt, or tokens.")
        return module(with_picture(x, condition.image, self.picture), time, condition.tokens.to(x.dtype)).sample

    @property
    def accepts(self) -> tuple[str, ...]:
        return ("tokens", "image") if self.picture else ("tokens",)

    @property
    def channels(self) -> int:
        return int(self.config["out_channels"])

    @property
    def picture(self) -> int:
        """Channels of the picture that it is told: 5 of a mask and what it leaves, 4 of a whole one; 0 for none."""
        return int(self.config["in_channels"]) - self.channels

    @property
    def picture_guidance(self) -> float:
        return 1.5 if self.picture == self.channels else 1.0

    @property
    def stride(self) -> int:
        return 2 ** (len(self.config["block_out_channels"]) - 1)

    def words(self, encodings: Sequence[Encoding | None]) -> Condition:
        (encoding,) = encodings
        if encoding is None:
            raise ValueError("this network needs the text encoder that it was trained with, which the folder lacks.")
        return Condition(tokens=encoding.tokens, mask=torch.ones_like(encoding.mask))
