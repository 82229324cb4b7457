"""What operators cost: the composed blur against its chain of convolutions, every operator at two severities, and a full walk.

    python benchmarks/operators.py

1. Blur of 300 kernels of 27 taps at s = T on 8 x 3 x 128 x 128: the published way, one depthwise convolution after another, and
   one product of transfer functions; in one run, with the largest difference between the two results.
2. Every operator at t = .1 and t = 1 on the same images: the cost does not depend on the severity.
3. Algorithm 2 in 300 steps on 1 x 3 x 128 x 128 with the default DDPM U-Net (its time: 300 times the median of 5 calls): the
   share that the operator has of it.
"""

from __future__ import annotations

from machine import describe, seconds  # first: finds the project's packages

from functools import partial  # isort: skip

import torch
import torch.nn.functional as F

from degrade import OPERATORS, Degradation, IteratedBlur, NoLatent, State, seeded
from models import DDPMUNetConfig
from samplers import Improved, sample, uniform

SHAPE = (8, 3, 128, 128)
BLUR = IteratedBlur(300, 27, "exponential", 1.0, 0.01, "circular")


def chain(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Kernel after kernel, each a depthwise convolution with its outer product, as published."""
    half, channels = kernels.shape[1] // 2, x.shape[1]
    for k in kernels.float():
        weight = torch.outer(k, k).expand(channels, 1, -1, -1)
        x = F.conv2d(F.pad(x, (half, half, half, half), mode="circular"), weight, groups=channels)
    return x


def main() -> None:
    x0 = torch.rand(SHAPE, generator=seeded(0)) * 2 - 1
    t = torch.ones(len(x0))
    print(describe())
    ours, chained = BLUR(x0, t), chain(x0, BLUR.kernels())
    fast = seconds(lambda: BLUR(x0, t), 9)
    slow = seconds(lambda: chain(x0, BLUR.kernels()), 1)
    print("\nblur at s = T = 300, k = 27, 8 x 3 x 128 x 128: ", end="")
    print(f"chain {slow:.2f} s, composed {1000 * fast:.2f} ms: ", end="")
    print(f"{slow / fast:.0f} times less; largest difference {float((ours - chained).abs().max()):.1e}\n")

    print("| operator | t = .1, ms | t = 1, ms |\n| --- | --- | --- |")
    for kind in OPERATORS:
        operator: Degradation = kind()
        latent = operator.draw(x0, seeded(1))
        costs = [1000 * seconds(partial(operator, x0, s * t, latent), 9) for s in (0.1, 1.0)]
        print(f"| {kind.__name__} | {costs[0]:.2f} | {costs[1]:.2f} |")

    network = DDPMUNetConfig(attention=(3,)).build().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x, steps = x0[:1], 300
    with torch.no_grad():
        calls = steps * seconds(lambda: network(x, torch.full((1,), 0.5)), 5)
    walk = seconds(lambda: sample(Improved(), lambda x, t: x, BLUR, State(x, NoLatent()), uniform(steps)), 3)
    print(f"\nAlgorithm 2, 300 steps, 1 x 3 x 128 x 128: network {calls:.1f} s, operator and sampler {walk:.2f} s: ", end="")
    print(f"{walk / (walk + calls):.2%} of the run")


if __name__ == "__main__":
    main()
