"""What the figures were measured on, and how."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch


def describe(device: str = "cpu") -> str:
    """One line: processor or GPU, threads, versions."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else _processor()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        flags = next(line for line in lines if line.startswith("flags"))
        return name + (" with AMX" if "amx_bf16" in flags else "")
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """The median time of `call` over `repeats`, after one that is not counted; waits for the GPU if there is one."""
    times = []
    for _ in range(repeats + 1):
        before = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - before)
    return statistics.median(times[1:])
