"""A device that stands for a GPU where there is none: with a name of its own, and tensors whose values lie in main memory.

A call with tensors of both devices, or with a CPU's generator for numbers on the device, raises as it does on a GPU; all else
is computed by the CPU's kernels, so that what a device gives can be set against what the CPU gives: bit for bit, but for
convolutions, whose kernel torch chooses by the device. It is a name for the whole process: tests that take it run in one of
their own (tests/test_device.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

DEVICE = "standin"
BRIDGES = ("copy_", "_to_copy", "index", "index_put_", "_index_put_impl_")
"""What takes tensors of two devices."""


class DeviceError(AssertionError):
    """Tensors of two devices in one call."""


class There(torch.Tensor):
    """One on the device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> There:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE, 0),
        )
        made.held = held
        return made

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def tolist(self) -> Any:
        return self.held.tolist()

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"{self.held} on {DEVICE}"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(function, args, kwargs or {})


@contextmanager
def standin() -> Iterator[None]:
    """Inside, tensors can be made on `DEVICE`."""
    with _Numbers(), _Calls():
        yield


class _Calls(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(function, args, kwargs or {})


class _Numbers(TorchFunctionMode):
    """Tensors that are made of numbers are copied where no dispatch sees it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.Tensor.new_tensor:
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}).to(args[0].device)
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        return function(*args, **kwargs)


def computed(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What a call gives, on the device where its tensors are there or it asks for it."""
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    there = any(isinstance(x, There) for x in tensors)
    name, device = function.overloadpacket.__name__, kwargs.get("device")
    if there and name not in BRIDGES and not all(isinstance(x, There) or x.ndim == 0 for x in tensors):
        places = ", ".join(f"{tuple(x.shape)} on {x.device}" for x in tensors)
        raise DeviceError(f"{function} of tensors on two devices: {places}.")
    result_there = there if device is None else torch.device(device).type == DEVICE
    if result_there and kwargs.get("generator") is not None:
        raise DeviceError(f"{function} on {DEVICE} by a generator of the CPU.")
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    inside_args, inside_kwargs = tree_map_only(There, lambda x: x.held, (args, kwargs))
    found = function(*inside_args, **inside_kwargs)
    if name == "copy_":
        return args[0]
    if result_there:
        found = tree_map_only(torch.Tensor, There, found)
    return return_and_correct_aliasing(function, args, kwargs, found) if there and device is None else found


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend(DEVICE, _Module())
_autocast = torch.library.Library("_", "IMPL")  # which leaves everything as it is
_autocast.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
