"""Weights of a network from a safetensors file: numbers only, and checked by the file's header before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from degrade.lazy import torch
from restore.machine.terminal import printable
from restore.storage.reading import check_size

if TYPE_CHECKING:
    from torch import Tensor, nn

    N = TypeVar("N", bound=nn.Module)


def load_network(build: Callable[[], N], path: Path) -> N:
    """The network that `build` makes, with the weights of a safetensors file, for inference.

    Raises ValueError with one clear line unless the file holds the names, shapes and dtypes of the network's own state.
    """
    from safetensors import SafetensorError, safe_open

    with torch.device("meta"):
        network = build()
    if not path.is_file():
        raise ValueError(f"{path} is no file: expected the weights of {type(network).__name__} (safetensors).")
    check_size(path)
    try:
        with safe_open(path, "pt") as file:
            wrong = mismatches(file, network.state_dict())
            if wrong:
                name = type(network).__name__
                raise ValueError(f"{path} does not hold the weights of {name}: {len(wrong)} entries differ {wrong[:3]}.")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            unsound = next((name for name, weight in weights.items() if not bool(weight.isfinite().all())), None)
            if unsound is not None:
                raise ValueError(f"{path} holds weights that are NaN or infinite: {unsound[:60]}.")
            network.load_state_dict(weights, assign=True)
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is no safetensors file ({printable(str(error))[:200]}). Others can hold code, and are not read: "
            "docs/evaluation.md tells how to convert one."
        ) from None
    return network.eval().requires_grad_(False)


def names(path: Path) -> set[str]:
    """The entries of a safetensors file; none of any other, of which `load_network` says what is wrong with it."""
    from safetensors import SafetensorError, safe_open

    try:
        check_size(path)
        with safe_open(path, "pt") as file:
            return set(file.keys())
    except (SafetensorError, OSError, ValueError):
        return set()


def mismatches(file: Any, like: Mapping[str, Tensor]) -> list[str]:
    """The names that an open safetensors file and `like` do not share, or hold in another shape or dtype."""
    names = set(file.keys())
    wrong = sorted(names ^ set(like))
    for name in sorted(names & set(like)):
        entry = file.get_slice(name)
        if tuple(entry.get_shape()) != tuple(like[name].shape) or entry.get_dtype() != _dtype(like[name]):
            wrong.append(name)
    return wrong


def _dtype(tensor: Tensor) -> str:
    """safetensors' name of the tensor's dtype."""
    return {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64"}[tensor.dtype]
