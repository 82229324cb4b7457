"""Posterior sampling against training for the operator, and against classical methods: PSNR, SSIM, Frechet distance, seconds.

    python recipes/simple_diffusion.py train digits --out runs/digits
    python recipes/super_resolution.py train digits --out runs/small
    python benchmarks/solving.py runs/digits runs/data/digits/test --cold runs/small
    python benchmarks/solving.py runs/photographs runs/data/photographs/test --photograph other.jpg

Held-out images are degraded in several ways, with noise and without, and solved under the run's prior, by each method, and
under a photograph's patches, without training. Of each run in `--cold` its own operator is one more way, undone by Algorithm 2.
Classical methods (scikit-image) are told the operator, and their one parameter is the best of several for all images together,
which flatters them. One sample an image; noise in the unit of [-1, 1].
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import time  # isort: skip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from skimage import restoration
from torch import Tensor

from degrade import Compose, Decolour, Degradation, GaussianBlur, Pixelate, Snow, Stage, seeded, seeds
from restore import Run, closed_form, save_image
from restore.data.images import grid
from restore.evaluation.features import frechet_distance, of_classifier, of_patches, squares
from restore.evaluation.metrics import psnr, ssim
from restore.pipelines.pipeline import Pipeline
from restore.pipelines.solving import Forward, reduced_to
from restore.run import open_trained
from samplers import Method
from samplers.guides.likelihood import ANY

OPTIONS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of a classical method's parameter."""
WITHOUT = ("bicubic", "biharmonic")
"""Classical methods that have none."""
Classical = Callable[[np.ndarray, float], np.ndarray]
"""Images (C, h, w) in [0, 1] and a parameter to images (C, H, W)."""


@dataclass(frozen=True)
class Case:
    """One way to degrade."""

    name: str
    operator: Degradation | Forward
    classical: tuple[str, Classical] | None = None
    severity: float | None = None
    latent: tuple | None = None
    cold: Run | None = None
    """Trained for it."""
    linear: bool = True

    def degraded(self, x: Tensor) -> Tensor:
        if not isinstance(self.operator, Degradation):
            return self.operator(x)
        return self.operator(x, torch.full((len(x),), self.severity or 1.0), self.latent or ())


def cases(clean: Tensor) -> Iterator[Case]:
    """Of the images (N, C, H, W) that are to be degraded."""
    side = clean.shape[-1]
    blur = 0.5 + side / 64  # pixels: .75 of 16, 1.5 of 64
    yield Case(f"blur of {blur:g} pixels", GaussianBlur(), ("Wiener", wiener(blur)), blur / 8)
    yield Case("4 times smaller", reduced_to((side // 4, side // 4)), ("bicubic", enlarged(side)))
    seen = (torch.rand(1, side, side, generator=seeded(0)) > 0.5).float()
    yield Case("half the pixels missing", lambda x: x * seen, ("biharmonic", biharmonic(seen)))
    hole = torch.ones(1, side, side)
    hole[:, side // 3 : side - side // 3, side // 3 : side - side // 3] = 0
    yield Case("hole in the middle", lambda x: x * hole, ("biharmonic", biharmonic(hole)))
    if clean.shape[1] == 3:
        yield Case("no colour", Decolour(), None, 1.0)
    snow = Snow(1 if side < 32 else 3)
    yield Case("snow, its flakes known", snow, ("TV", tv), 0.5, snow.draw(clean, seeds(0, len(clean))), linear=False)
    chain = Compose((Stage(GaussianBlur(blur)), Stage(Pixelate(1))))
    yield Case("blurred, then pixelated", chain, ("Wiener", wiener(1.2 * blur)), 1.0, chain.draw(clean, seeded(0)))


def wiener(sigma: float) -> Classical:
    reach = np.arange(-int(4 * sigma + 2), int(4 * sigma + 3))
    kernel = np.exp(-(reach[:, None] ** 2 + reach**2) / (2 * sigma**2))
    kernel /= kernel.sum()

    def restored(y: np.ndarray, parameter: float) -> np.ndarray:
        room = len(reach)
        wide = np.pad(y, ((0, 0), (room, room), (room, room)), "reflect" if y.shape[1] > room else "symmetric")
        return np.stack([restoration.wiener(c, kernel, parameter, clip=False) for c in wide])[:, room:-room, room:-room]

    return restored


def enlarged(side: int) -> Classical:
    def restored(y: np.ndarray, parameter: float) -> np.ndarray:
        x = torch.nn.functional.interpolate(torch.from_numpy(y)[None], (side, side), mode="bicubic", align_corners=False)
        return x[0].numpy()

    return restored


def biharmonic(seen: Tensor) -> Classical:
    def restored(y: np.ndarray, parameter: float) -> np.ndarray:
        return restoration.inpaint_biharmonic(y, seen[0].numpy() < 0.5, channel_axis=0)

    return restored


def tv(y: np.ndarray, parameter: float) -> np.ndarray:
    return restoration.denoise_tv_chambolle(y, weight=parameter, channel_axis=0)


def best(method: Classical, y: Tensor, clean: Tensor, options: tuple[float, ...]) -> Tensor:
    """With the parameter that is best for all images together."""
    found = []
    for parameter in options:
        made = [method((x.numpy() + 1) / 2, parameter) for x in y]
        found.append((2 * torch.from_numpy(np.stack(made)).float() - 1).clamp(-1, 1))
    return max(found, key=lambda x: float(psnr(x, clean).mean()))


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of noise."""
    test: tyro.conf.Positional[Path]
    """Folder of images that were not trained on."""
    photograph: Path | None = None
    """Whose patches are a prior too (default: of the first 100 of the run's own pictures, side by side)."""
    cold: tuple[Path, ...] = ()
    """Runs that were trained for one operator each."""
    severity: float = 0.5
    """Of the operators of these."""
    images: int = 64
    """How many are solved."""
    noise: tuple[float, ...] = (0.0, 0.05)
    """Standard deviations."""
    methods: tuple[Method, ...] = ("ddnm", "diffpir", "pigdm", "moments", "dps")
    """Under the run's prior."""
    steps: int | None = None
    """Of the walk (default: the run's)."""
    features: Literal["classifier", "patches"] = "classifier"
    """Of the Frechet distance: those of a classifier, which is trained first, or the gradients in patches."""
    patches: bool = True
    """Whether patches are a prior too."""
    out: Path = Path("runs/solving")
    """Folder for the pictures."""

    def __call__(self) -> None:
        run = open_trained(self.run, "cpu").using(steps=self.steps)
        clean = torch.stack(list(squares(run.data, self.test, self.images)))
        trained = self.features == "classifier"
        features = of_classifier(run.data, run.images or self.test, self.test) if trained else of_patches()
        reference = features.extract(clean)
        patches = self.closed_form(run) if self.patches else None
        every = [*cases(clean), *(self.trained(open_trained(path, "cpu"), clean) for path in self.cold)]
        print(f"{describe()}\n{len(clean)} images {tuple(clean.shape[1:])}; Frechet distance: {features.name}\n")
        print("| degraded by | noise | restored by | PSNR, dB | SSIM | Frechet distance | s |")
        print("| --- " * 7 + "|")
        for case in every:
            for noise in self.noise:
                degraded = case.degraded(clean)
                y = degraded + noise * torch.randn(degraded.shape, generator=seeded(1))
                shown = [clean, torch.nn.functional.interpolate(y, clean.shape[-2:], mode="nearest-exact").clamp(-1, 1)]
                for name, make in self.restorers(case, y, clean, noise, run, patches):
                    begun = time.perf_counter()
                    x = make()
                    seconds = time.perf_counter() - begun
                    far = frechet_distance(features.extract(x), reference)
                    cells = f"{float(psnr(x, clean).mean()):.2f} | {float(ssim(x, clean).mean()):.3f} | {far:.2f}"
                    print(f"| {case.name} | {noise:g} | {name} | {cells} | {seconds:.1f} |", flush=True)
                    shown.append(x)
                rows = [column[i] for i in range(min(6, len(clean))) for column in shown]
                save_image(grid(rows, len(shown), at_least=64), self.out / f"{case.name.replace(' ', '-')}-{noise:g}.png")

    def restorers(
        self, case: Case, y: Tensor, clean: Tensor, noise: float, run: Run, patches: Pipeline | None
    ) -> Iterator[tuple[str, Callable[[], Tensor]]]:
        size = (clean.shape[-2], clean.shape[-1])
        yield "nothing", lambda: torch.nn.functional.interpolate(y, size, mode="nearest-exact").clamp(-1, 1)
        if case.classical:
            name, classical = case.classical
            yield name, lambda: best(classical, y, clean, OPTIONS[:1] if name in WITHOUT else OPTIONS)

        def solved(pipeline: Pipeline, method: Method) -> Tensor:
            options = {"noise": noise, "method": method, "count": 1, "size": size, "batch": 64, "progress": False}
            found = pipeline.solve(y, case.operator, case.severity, case.latent, **options)  # type: ignore[arg-type]
            return found.samples[0]

        for method in self.methods:
            if case.linear or method in ANY:
                yield f"{method}, run", partial(solved, run, method)
        if patches is not None:
            yield "diffpir, patches", lambda: solved(patches, "diffpir")
        if case.cold is not None:
            cold, severity = case.cold, case.severity or 1.0
            yield "Algorithm 2, trained for it", lambda: cold.restore(y, severity, case.latent, progress=False)

    def trained(self, run: Run, clean: Tensor) -> Case:
        """What a run was trained for."""
        latent = run.latent(clean, seeds(0, len(clean)))
        name = f"{type(run.degradation).__name__} at {self.severity:g}"
        return Case(name, run.degradation, None, self.severity, latent, run, linear=not isinstance(run.degradation, Snow))

    def closed_form(self, run: Run) -> Pipeline:
        if self.photograph is not None:
            return closed_form(self.photograph)
        assert run.images is not None
        return closed_form(grid(list(squares(run.data, run.images, 100)), 10, gap=0))


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
