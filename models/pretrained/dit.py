"""DiTTransformer2DModel: images of classes, in latents (Peebles & Xie 2022, arXiv 2212.09748)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.condition import Condition
from models.pretrained.network import Denoiser

if TYPE_CHECKING:
    from torch import Tensor, nn


class DiTTransformer2DModel(Denoiser):
    """Conditioned on a label; one more class than there are stands for none."""

    place: ClassVar[str] = "transformer"
    steps: ClassVar[int] = 250
    guidance: ClassVar[float] = 4.0
    squares: ClassVar[bool] = True

    def output(self, module: nn.Module, x: Tensor, time: Tensor, condition: Condition) -> Tensor:
        if x.shape[-2] != x.shape[-1]:
            raise ValueError(
                f"this network works on squares, got {x.shape[-2]} x {x.shape[-1]} cells: give a square size, or picture."
            )
        label = x.new_full((len(x),), -1).long() if condition.label is None else condition.label
        label = label.masked_fill(label < 0, self.classes)
        return module(x, timestep=time, class_labels=label).sample

    @property
    def accepts(self) -> tuple[str, ...]:
        return ("label",)

    @property
    def classes(self) -> int:
        return int(self.config["num_embeds_ada_norm"])
