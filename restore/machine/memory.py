"""How much memory there is."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from degrade.lazy import torch


def free_memory(device: torch.device | str = "cpu") -> int:
    """Bytes that can still be had on `device`: of the machine, or of the container that the process lives in."""
    if torch.device(device).type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = _available()
    group = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError, StopIteration):  # no container, or one without a limit
        limit, current = (int((group / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = next(int(line.split()[1]) for line in lines if line.startswith("inactive_file"))
        free = min(free, limit - current + cached)
    return max(0, free)


def _available() -> int:
    """Bytes of the machine that are not in use."""
    with suppress(OSError, StopIteration):  # Linux
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    with suppress(ImportError):  # installed where there is no /proc
        import psutil

        return psutil.virtual_memory().available
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # all that it has


def used_memory(device: torch.device | str = "cpu") -> int:
    """Bytes in use at the peak: of the GPU, or of the process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError, StopIteration):  # Linux: getrusage would count what the parent process held before the start
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def exhausted(error: BaseException) -> bool:
    """Whether `error` says that there is not enough memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def readable(size: float) -> str:
    """A size in bytes, for people: "310 MiB", "1.3 GiB"."""
    return f"{size / 2**20:.3g} MiB" if size < 2**30 else f"{size / 2**30:.3g} GiB"
