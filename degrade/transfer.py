"""Tensors brought to a device, and what is known of it, without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from degrade.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def moved(x: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """x on `device`, in `dtype`. From the CPU it goes to a GPU through pinned memory, in the order of the GPU's work: neither
    waits for the other. The way back waits."""
    device = torch.device(device)
    if x.device.type != "cpu" or device.type == "cpu":
        return x.to(device, dtype)
    if device.type == "cuda":
        x = x.pin_memory()
    return x.to(device, dtype, non_blocking=True)


def like(x: Tensor, other: Tensor) -> Tensor:
    """x on the device of `other`, in its dtype."""
    return moved(x, other.device, other.dtype)


def told(flag: Tensor) -> Callable[[], bool | None]:
    """What tells the value of `flag` (), once it is known here: a GPU that has not come to it is not waited for, and says None.

    On devices that are neither it is never known.
    """
    if flag.device.type == "cpu":
        known = bool(flag)
        return lambda: known
    if flag.device.type != "cuda":
        return lambda: None
    brought, come = flag.to("cpu", non_blocking=True), torch.cuda.Event()
    come.record()
    return lambda: bool(brought) if come.query() else None
