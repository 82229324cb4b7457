"""What settings of a network offer, and how they find their network without importing it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class NetworkSettings(Protocol):
    """What settings of a network offer: the channels of its images, the squares it works on, and the network itself."""

    @property
    def image_channels(self) -> int: ...

    @property
    def stride(self) -> int:
        """The network works on sides that are a multiple of this."""
        ...

    def build(self) -> nn.Module:
        """net(x (B, C, *space), t (B,)) -> (B, C, *space), or net(x, t, condition): see `models.condition`."""
        ...


def network(name: str, *args: Any) -> nn.Module:
    """The network of a name such as "models.unet:UNet", made from `args`. Its module, and torch, are imported here only."""
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)(*args)
