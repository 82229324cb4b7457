"""PixArtTransformer2DModel: PixArt-alpha and PixArt-Sigma, conditioned on words (Chen et al. 2023, arXiv 2310.00426)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from models.condition import Condition
from models.pretrained.network import Encoding, Reader

if TYPE_CHECKING:
    from torch import Tensor, nn


class PixArtTransformer2DModel(Reader):
    """Conditioned on T5's tokens under their mask; at 1024 px on the picture's size and shape as well."""

    place: ClassVar[str] = "transformer"
    steps: ClassVar[int] = 20
    guidance: ClassVar[float] = 4.5
    masked: ClassVar[bool] = True
    pixels: ClassVar[int] = 8
    """Of a cell, along each side."""

    @property
    def length(self) -> int:
        """PixArt-Sigma's, which is told no size, or PixArt-alpha's."""
        return 300 if self.config.get("use_additional_conditions") is False else 120

    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        if condition.tokens is None or condition.mask is None:
            raise ValueError("this network is conditioned on words: give a prompt, or tokens with their mask.")
        return module(
            x,
            encoder_hidden_states=condition.tokens.to(x.dtype),
            encoder_attention_mask=condition.mask.to(x.dtype),
            timestep=time,
            added_cond_kwargs=self._shape(x),
        ).sample

    def _shape(self, x: Tensor) -> dict[str, Tensor | None]:
        told = self.config.get("use_additional_conditions")
        if not (self.size[0] == 128 if told is None else told):
            return {"resolution": None, "aspect_ratio": None}
        height, width = (self.pixels * side for side in x.shape[-2:])
        resolution = x.new_tensor([height, width]).repeat(len(x), 1)
        return {"resolution": resolution, "aspect_ratio": x.new_tensor([height / width]).repeat(len(x), 1)}

    @property
    def accepts(self) -> tuple[str, ...]:
        return ("tokens",)

    def read(self, prompt: str) -> str:
        return prompt.lower().strip()

    def words(self, encodings: Sequence[Encoding | None]) -> Condition:
        (encoding,) = encodings
        if encoding is None:
            raise ValueError("this network needs the T5 encoder that it was trained with, which the folder lacks.")
        return Condition(tokens=encoding.tokens, mask=encoding.mask)
