"""What the driver and the step rules cost beside the network: 50 steps at 1 x 3 x 188 x 248.

    python benchmarks/sampler_overhead.py

The same walk is timed with a restorer that costs nothing, and set against 50 calls of the published PatchUNet (and of the
fast preset's), in one run.
"""

from __future__ import annotations

from machine import describe, seconds  # first: finds the project's packages

from functools import partial  # isort: skip

import torch

from degrade import Cosine, GaussianBlur, GaussianNoise, State, seeds
from recipes import sindiffusion
from restore import Restorer
from samplers import NAMED, sample, uniform

SHAPE, STEPS = (1, 3, 188, 248), 50


def main() -> None:
    noise = GaussianNoise(Cosine())
    x = torch.randn(SHAPE)
    networks = {}
    for preset in ("paper", "fast"):
        network = sindiffusion.recipe("", preset).network.build().eval()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        restore = Restorer(network, noise, "v", "float32")
        with torch.no_grad():
            networks[preset] = STEPS * seconds(partial(restore, x, torch.full((1,), 0.5)), 5)
    print(describe())
    print(f"50 network calls: paper preset {networks['paper']:.2f} s, fast preset {networks['fast']:.2f} s\n")
    print("| sampler | driver and step rule, 50 steps, ms | of the paper preset's network | of the fast preset's |")
    print("| --- | --- | --- | --- |")
    for name, sampler in NAMED.items():
        for degradation in (noise, GaussianBlur()) if name in ("improved", "naive") else (noise,):
            walk = partial(
                sample, sampler, lambda x_t, t: x_t, degradation, State(x, tuple(degradation.draw(x))), uniform(STEPS)
            )
            cost = seconds(partial(walk, generator=seeds(0, 1)))
            label = f"{name}, {type(degradation).__name__}"
            print(f"| {label} | {1000 * cost:.1f} | {cost / networks['paper']:.2%} | {cost / networks['fast']:.2%} |")


if __name__ == "__main__":
    main()
