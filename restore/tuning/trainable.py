"""What of a pipeline is trained further: a copy of its network, or the words that a frozen network is told."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from models import Condition
from models.pretrained.network import Denoiser


class Published(nn.Module):
    """A published denoiser as a network of its own, whose weights are a copy."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        module = deepcopy(denoiser.load()).requires_grad_(True)
        self.module = module
        self.denoiser = replace(denoiser, load=lambda: module)
        self.accepts = denoiser.accepts

    def forward(self, x: Tensor, t: Tensor, *condition: Condition) -> Tensor:
        return self.denoiser(x, t, *condition)


def trainable(network: Any) -> nn.Module:
    """A copy of a pipeline's network, to be trained. Raises ValueError for one that is none of torch's."""
    if isinstance(network, Denoiser):
        return Published(network)
    if not isinstance(network, nn.Module):
        raise ValueError(f"a {type(network).__name__} cannot be trained: expected a network of torch, or a published one.")
    return deepcopy(network).requires_grad_(True)


def used(network: nn.Module) -> Any:
    """What a restorer calls of a network that was made by `trainable` and trained."""
    network.eval().requires_grad_(False)
    return network.denoiser if isinstance(network, Published) else network


class Told(nn.Module):
    """net(x, t) of a frozen network that is told one condition, whose floating-point parts are the weights."""

    def __init__(self, network: Any, condition: Condition) -> None:
        super().__init__()
        frozen = deepcopy(network).eval().requires_grad_(False) if isinstance(network, nn.Module) else network
        self.frozen = (frozen,)  # in a tuple, so that it is not trained
        learned = {name: z.clone() for name in condition._fields if _learned(z := getattr(condition, name))}
        self.learned = nn.ParameterDict(learned)
        self.rest = condition

    @property
    def condition(self) -> Condition:
        return self.rest._replace(**dict(self.learned.items()))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.frozen[0](x, t, self.condition.map(lambda z: z.expand(len(x), *z.shape[1:])))


def _learned(part: Tensor | None) -> bool:
    return part is not None and part.is_floating_point()
