"""What makes the host wait for a GPU, refused: on a GPU by torch itself, elsewhere on its "meta" device, which stands for one.

Tensors on "meta" have no values, so whatever asks for one of them fails there; copies are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = "cuda" if torch.cuda.is_available() else "meta"
LOOKS = ("_local_scalar_dense", "equal", "nonzero", "masked_select", "unique", "_unique2", "bincount", "is_nonzero", "item")


class WaitError(AssertionError):
    """The host would wait for the device."""


@contextmanager
def without_waits(device: str = DEVICE) -> Iterator[None]:
    """Whatever waits for `device` inside raises."""
    if device == "cuda":
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
    else:
        with _Made(device), _Watch(device):
            yield


class _Made(TorchFunctionMode):
    """Tensors that are made of numbers are copied where no dispatch sees it."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        made = function in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
        data = args[-1] if args else None
        if made and result.device.type == self.device and not isinstance(data, torch.Tensor):
            raise WaitError(f"{function.__name__} of numbers on {self.device}.")
        return result


class _Watch(TorchDispatchMode):
    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        there = [x for x in tensors if x.device.type == self.device]
        if there and name in LOOKS:
            raise WaitError(f"{function} looks at a value.")
        if there and name in ("index", "index_put_", "_index_put_impl_"):
            for x in tree_leaves(args[1]):
                if isinstance(x, torch.Tensor) and (x.device.type != self.device or x.dtype in (torch.bool, torch.uint8)):
                    raise WaitError(f"{function} by a tensor of {x.dtype} on {x.device}.")
        blocking = not kwargs.get("non_blocking", False)
        if name == "copy_" and tensors[0].device.type != tensors[1].device.type and not (len(args) > 2 and args[2]):
            raise WaitError(f"{function} from {tensors[1].device} to {tensors[0].device}.")
        if name == "_to_copy" and kwargs.get("device") is not None and blocking:
            source, target = tensors[0].device.type, torch.device(kwargs["device"]).type
            if source != target:
                raise WaitError(f"{function} from {source} to {target}.")
        return function(*args, **kwargs)
