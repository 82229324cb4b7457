"""How near training comes to what the machine can do: floating-point operations a second against a large matrix product, and
memory against the size of the image.

    python benchmarks/limits.py

The published PatchUNet, float32 and bfloat16, batch 1; a process for each row.
"""

from __future__ import annotations

import torch
from machine import describe, seconds  # first: finds the project's packages
from processes import alone
from torch.utils.flop_counter import FlopCounterMode

from models import PatchUNetConfig
from restore.machine.allocator import keep_freed_memory
from restore.machine.memory import used_memory

SIZES = [(96, 128), (188, 248), (264, 352), (376, 496)]


def product(dtype: torch.dtype) -> float:
    """GFLOP/s of a 2048 x 2048 matrix product."""
    a = torch.randn(2048, 2048).to(dtype)
    return 2 * 2048**3 / seconds(lambda: a @ a) / 1e9


def step(size: tuple[int, int], dtype: torch.dtype) -> tuple[float, float, float]:
    """Seconds, GFLOP and peak memory of a forward and backward pass."""
    keep_freed_memory()
    network = PatchUNetConfig().build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x, t = torch.randn(1, 3, *size).contiguous(memory_format=torch.channels_last), torch.full((1,), 0.5)
    idle = used_memory()

    def call() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = network(x, t).float().square().mean()
        loss.backward()
        network.zero_grad(set_to_none=True)

    took = seconds(call)
    with FlopCounterMode(display=False) as counter:
        call()
    return took, counter.get_total_flops() / 1e9, (used_memory() - idle) / 2**20


def main() -> None:
    print(describe())
    for dtype in (torch.float32, torch.bfloat16):
        limit = product(dtype)
        name = str(dtype).removeprefix("torch.")
        print(f"\n{name}: a 2048 x 2048 product runs at {limit:.0f} GFLOP/s\n")
        print("| size | s | GFLOP | GFLOP/s | of the product's | MiB above idle | bytes a pixel |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for height, width in SIZES:
            took, flops, memory = alone(f"{height} x {width}, {name}", step, (height, width), dtype)
            rate = flops / took
            row = (f"{took:.3f}", f"{flops:.0f}", f"{rate:.0f}", f"{rate / limit:.0%}", f"{memory:.0f}")
            print(f"| {height} x {width} | {' | '.join(row)} | {memory * 2**20 / (height * width):.0f} |", flush=True)


if __name__ == "__main__":
    main()
