"""`torch`, loaded at its first use, so that `import degrade` and `--help` answer at once (torch alone takes about 2 s).

Modules that the command line reads for its flags (operators, schedules, samplers, settings) take torch from here:

    from degrade.lazy import torch

The stand-in stays out of `sys.modules`, where other libraries look to see whether torch is in use.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch as torch


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


if not TYPE_CHECKING:
    torch = sys.modules.get("torch") or _Lazy("torch")

__all__ = ["torch"]
