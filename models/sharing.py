"""Self-attention that two images share: what is made of two captions is laid out alike (Prompt-to-Prompt)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models.layers.attention import Attention


@contextmanager
def shared_self_attention(network: Any) -> Iterator[None]:
    """Within it, images of the second half of a batch attend as those of the first half do, to values of their own: queries
    and keys are taken over (Hertz et al. 2022, arXiv 2208.01626, section 4; so are InstructPix2Pix's pairs made,
    arXiv 2211.09800, section 3.1.2).

    network: of this project, or a published one. Raises ValueError for one without self-attention.
    """
    module = network if isinstance(network, nn.Module) else network.load()
    handles = [layer.register_forward_hook(_first_leads(parts)) for layer, parts in _leading(module)]
    if not handles:
        raise ValueError(f"{type(module).__name__} has no self-attention to share: take a network with attention.")
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leading(module: nn.Module) -> Iterator[tuple[nn.Module, float]]:
    """The layers that give queries and keys, and the share of their channels that these are."""
    for part in module.modules():
        if isinstance(part, Attention):
            yield part.qkv, 2 / 3
        elif not getattr(part, "is_cross_attention", True):
            for name in ("to_q", "to_k"):
                yield part.get_submodule(name), 1.0


def _first_leads(share: float) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        first, second = output.chunk(2)
        channels = round(share * output.shape[-1])
        return torch.cat([first, torch.cat([first[..., :channels], second[..., channels:]], dim=-1)])

    return hook
