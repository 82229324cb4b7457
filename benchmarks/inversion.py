"""How well pictures come back from the noise that inversion finds for them: over steps, and over fixed-point iterations.

    python recipes/simple_diffusion.py train digits --out runs/digits
    python benchmarks/inversion.py runs/digits runs/data/digits/test

Images that were not trained on are inverted to severity `--until`, without a condition, and walked back by DDIM (eta = 0) over
the same times; the PSNR is of all of them together, in [0, 1]. Each iteration is one more call of the network a step.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

from dataclasses import dataclass  # isort: skip
from pathlib import Path

import torch
import tyro

from restore import open_run
from restore.evaluation.features import squares
from restore.space import encoded
from samplers import DDIM, invert, sample, uniform


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of noise."""
    test: tyro.conf.Positional[Path]
    """Folder of images that were not trained on."""
    images: int = 16
    """Of them."""
    until: float = 0.95
    """The severity that they are inverted to."""
    steps: tuple[int, ...] = (10, 25, 50, 100)
    iterations: tuple[int, ...] = (0, 1, 3)

    def __call__(self) -> None:
        run = open_run(self.run, "cpu")
        images = torch.stack(list(squares(run.data, self.test, self.images)))
        x0 = encoded(run.space, images)
        restore = run.using(clip=False).guided(run.conditions(range(len(images)), ""))
        print(f"{describe()}\n\n| steps |{''.join(f' {n} iterations |' for n in self.iterations)}")
        print(f"{'| --- ' * (1 + len(self.iterations))}|")
        for steps in self.steps:
            times = uniform(steps, self.until)
            found = []
            for count in self.iterations:
                start = invert(restore, run.degradation, x0, times.flip(0), count)
                back = run.decoded(sample(DDIM(), restore, run.degradation, start, times), images.shape[-2:])
                found.append(-10 * float(((back - images) / 2).square().mean().log10()))
            print(f"| {steps} |{''.join(f' {value:.1f} dB |' for value in found)}", flush=True)


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
