"""SD3Transformer2DModel: Stable Diffusion 3, a flow conditioned on words (Esser et al. 2024, arXiv 2403.03206)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from models.condition import Condition
from models.pretrained.network import Encoding, Reader

if TYPE_CHECKING:
    from torch import Tensor, nn


class SD3Transformer2DModel(Reader):
    """Conditioned on tokens of three text encoders, and on a vector of two of them."""

    place: ClassVar[str] = "transformer"
    steps: ClassVar[int] = 28
    guidance: ClassVar[float] = 7.0
    encoders: ClassVar[int] = 3

    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        if condition.tokens is None or condition.pooled is None:
            raise ValueError("this network is conditioned on words: give a prompt, or tokens and a pooled vector.")
        most = int(self.config.get("pos_embed_max_size") or max(x.shape)) * self.stride
        if max(x.shape[-2:]) > most:
            raise ValueError(
                f"this network knows places in {most} x {most} cells, got {x.shape[-2]} x {x.shape[-1]}: give a smaller size, "
                "or picture."
            )
        tokens, pooled = condition.tokens.to(x.dtype), condition.pooled.to(x.dtype)
        return module(hidden_states=x, timestep=time, encoder_hidden_states=tokens, pooled_projections=pooled).sample

    @property
    def length(self) -> int:
        return 256

    @property
    def accepts(self) -> tuple[str, ...]:
        return ("tokens", "pooled")

    def words(self, encodings: Sequence[Encoding | None]) -> Condition:
        """Both CLIPs' tokens side by side, filled up to the width of T5's, which follow: zeros where the model lacks T5."""
        first, second, third = encodings
        if first is None or second is None or first.pooled is None or second.pooled is None:
            raise ValueError("this network needs both of its CLIP text encoders, with their projections.")
        clip = torch.cat([first.inner, second.inner], dim=-1)
        width = int(self.config["joint_attention_dim"])
        long = clip.new_zeros(len(clip), self.length, width) if third is None else third.tokens
        clip = torch.nn.functional.pad(clip, (0, width - clip.shape[-1]))
        tokens = torch.cat([clip, long.to(clip)], dim=1)
        mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        return Condition(tokens=tokens, mask=mask, pooled=torch.cat([first.pooled, second.pooled], dim=-1))
