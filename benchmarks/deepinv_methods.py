"""deepinv's DPS and DiffPIR and ours: the same denoiser, the same operator (deepinv's), the same number of steps.

    python benchmarks/deepinv_methods.py runs/digits runs/data/digits/test

Takes an installed deepinv (github.com/deepinv/deepinv), which is no dependency of this project. Each at its defaults; PSNR of
one sample for each of the held-out images, and seconds, the least of two.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from degrade import Scheduled, Stream
from degrade.random import globally_seeded
from restore import Run
from restore.evaluation.features import squares
from restore.evaluation.metrics import psnr, ssim
from restore.pipelines.solving import on_unit_images
from restore.run import open_trained


class Denoiser(torch.nn.Module):
    """A run as deepinv's denoisers are: x0 + sigma n in [0, 1] to x0."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        assert isinstance(run.degradation, Scheduled)
        self.restore, self.schedule = run.restorer, run.degradation.schedule

    def forward(self, x: Tensor, sigma: Any, **_: Any) -> Tensor:
        std = 2 * torch.as_tensor(sigma, dtype=torch.float64).flatten().expand(len(x))
        t = self.schedule.time(-2 * std.log()).clamp(min=1e-4, max=1)
        alpha = self.schedule.coefficients(t)[0].to(x.dtype).reshape(-1, 1, 1, 1)
        return (self.restore((alpha * (2 * x - 1)).float(), t.float()) + 1) / 2


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of noise."""
    test: tyro.conf.Positional[Path]
    """Folder of images that were not trained on."""
    images: int = 64
    """How many."""
    steps: int = 100
    """Of every walk."""
    noise: float = 0.025
    """Standard deviation, images being in [0, 1]."""
    published_steps: int = 1000
    """deepinv's DPS is run with so many too, its default."""

    def __call__(self) -> None:
        import deepinv

        run = open_trained(self.run, "cpu").using(steps=self.steps)
        clean = torch.stack(list(squares(run.data, self.test, self.images)))
        shape, denoiser = tuple(clean.shape[1:]), Denoiser(run)
        kernel = deepinv.physics.blur.gaussian_blur(sigma=(1.0, 1.0))
        noisy = {"noise_model": deepinv.physics.GaussianNoise(self.noise)}
        with globally_seeded(0, Stream.TEST):
            operators = {
                "blur of 1 pixel": deepinv.physics.BlurFFT(shape, filter=kernel, **noisy),
                "half the pixels missing": deepinv.physics.Inpainting(shape, mask=0.5, **noisy),
            }
        print(f"{describe()}\n{len(clean)} images {shape}, {self.steps} steps, noise {self.noise:g} of [0, 1]\n")
        print("| degraded by | restored by | PSNR, dB | SSIM | s |\n| --- | --- | --- | --- | --- |")
        for name, physics in operators.items():
            with globally_seeded(1, Stream.TEST):
                y = physics((clean + 1) / 2)
            fidelity = deepinv.optim.data_fidelity.L2()
            theirs = deepinv.sampling.DiffPIR(denoiser, fidelity, sigma=self.noise, max_iter=self.steps)
            methods: dict[str, Callable[[], Tensor]] = {
                "nothing": y.clone,
                "deepinv's DiffPIR": partial(theirs, y, physics),
                "diffpir": partial(self.ours, run, y, physics, "diffpir"),
                "deepinv's DPS": partial(self.dps, denoiser, y, physics, self.steps),
                "dps": partial(self.ours, run, y, physics, "dps"),
                f"deepinv's DPS, {self.published_steps} steps": partial(self.dps, denoiser, y, physics, self.published_steps),
            }
            for label, method in methods.items():
                seconds = []
                for _ in range(1 if str(self.published_steps) in label else 2):
                    begun = time.perf_counter()
                    x = method().clamp(0, 1).float() * 2 - 1
                    seconds.append(time.perf_counter() - begun)
                values = f"{psnr(x, clean).mean():.2f} | {ssim(x, clean).mean():.3f} | {min(seconds):.2f}"
                print(f"| {name} | {label} | {values} |", flush=True)

    def ours(self, run: Run, y: Tensor, physics: Any, method: Any) -> Tensor:
        options = {"noise": 2 * self.noise, "method": method, "count": 1, "batch": len(y), "progress": False}
        return (run.solve(2 * y - 1, on_unit_images(physics.A), **options).samples[0] + 1) / 2

    def dps(self, denoiser: Denoiser, y: Tensor, physics: Any, steps: int) -> Tensor:
        import deepinv

        with globally_seeded(2, Stream.TEST):
            sampler = deepinv.sampling.DPS(denoiser, num_steps=steps)
            return sampler(y, physics, x_init=tuple(y.shape), seed=0)


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
