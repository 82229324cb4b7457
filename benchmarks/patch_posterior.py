"""The patch posterior: fast against plain, how near the fast one comes, and degraded halves restored from the other half.

    python benchmarks/patch_posterior.py                    # on photographs that come with scikit-image
    python benchmarks/patch_posterior.py photo.jpg
    python benchmarks/patch_posterior.py --errors *.jpg     # 2. alone, of each

1. One image of 250 px made with clusters (the default) and with every patch compared with all in float32: seconds, coherence.
2. One call on the photograph's own noisy copy: share of patches whose nearest known patch is found (recall; at low severities,
   where it matters), and root mean square difference from the exact posterior, float64, in units of the range [-1, 1].
3. A brick wall and a lawn: the right half blurred, or with a hole, and restored from the left half in one call and by
   Algorithm 2; PSNR and seconds, and a picture and a film in runs/closed-form.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from machine import describe  # first: finds the project's packages

import torch  # isort: skip
import tyro

from degrade import Degradation, GaussianBlur, GaussianMask, GaussianNoise, RectifiedFlow, State, seeded
from restore import PatchSettings, closed_form, load_image, save_image
from restore.data import bundled
from restore.data.images import grid
from restore.evaluation.metrics import psnr
from restore.evaluation.patches import Keys
from restore.evaluation.single_image import Judge
from restore.patches.bank import LEAST_STD, Bank
from restore.patches.overlap import cut
from restore.patches.posterior import PatchPosterior
from restore.patches.scale import DETAIL
from restore.patches.settings import LAST
from samplers import Improved, Trajectory, sample, uniform


def speed(photograph: torch.Tensor) -> None:
    rows, judge = {}, Judge(photograph, every=8)
    for name, settings in (("clusters", PatchSettings()), ("all, float32", PatchSettings(neighbours=10**9))):
        before = time.perf_counter()
        (image,) = closed_form(photograph, settings=settings).generate(progress=False)
        rows[name] = time.perf_counter() - before, judge.coherence(image)
        print(f"{name}: {rows[name][0]:.1f} s, coherence {rows[name][1]:.4f}", flush=True)
    (fast, near), (plain, exact) = rows.values()
    print(f"{plain / fast:.1f} times faster, coherence {near / exact - 1:+.1%}\n")


def nearness(photograph: torch.Tensor) -> None:
    settings = PatchSettings()
    banks = {}
    for side in (settings.side, settings.detail):
        keys = cut(photograph[None], side)[0]
        banks[side] = keys, Bank(keys, keys, settings.neighbours), Bank(keys, keys, None)
    print("| severity | side of patches | recall | difference from the exact posterior |\n| --- | --- | --- | --- |")
    for t in (0.99, 0.9, 0.8, 0.6, settings.noise, 0.3, 0.2, DETAIL, 0.05, LAST):
        side = settings.detail if t <= DETAIL else settings.side
        keys, fast, exact = banks[side]
        latent = NOISE.draw(photograph[None], seeded(0))
        x = NOISE(photograph[None], torch.tensor([t]), latent)
        queries = cut(x, side, 2)[0][::7]
        error = float((fast.mean(queries, 1 - t, t) - exact.mean(queries, 1 - t, t)).square().mean().sqrt())
        recall = "" if t > settings.noise else f"{_recall(fast, keys, queries, 1 - t):.1%}"
        print(f"| {t} | {side} | {recall} | {error:.4f} |", flush=True)


def _recall(bank: Bank, keys: torch.Tensor, queries: torch.Tensor, gain: float) -> float:
    best = keys[Keys(keys).nearest(queries / gain)[1]]
    return float(((bank.mean(queries, gain, LEAST_STD) - best).abs().amax(1) < 1e-3).float().mean())


def halves() -> None:
    folder = bundled.bundled_photograph().parent
    rows, out = [], Path("runs") / "closed-form"
    print("\n| picture | degradation | degraded, dB | one call | Algorithm 2, 8 steps | s |\n" + "| --- " * 6 + "|")
    for name in ("brick.png", "grass.png"):
        whole = load_image(folder / name, 256)[..., :128, :]
        known, clean = whole[..., :128], whole[None, ..., 128:]
        tasks: tuple[tuple[Degradation, float], ...] = ((GaussianBlur(3.0), 0.6), (GaussianMask(50, 0.25), 1.0))
        for degradation, t in tasks:
            latent = degradation.draw(clean, seeded(5))
            severity = torch.tensor([t])
            x = degradation(clean, severity, latent)
            restore = PatchPosterior([known], degradation, latent=tuple(latent))
            film = Trajectory()
            one = restore(x, severity)
            before = time.perf_counter()
            walked = sample(Improved(), restore, degradation, State(x, latent), uniform(8, t), on_step=film)
            spent = time.perf_counter() - before
            values = (f"{float(psnr(image, clean)):.2f}" for image in (x, one, walked))
            print(f"| {name} | {type(degradation).__name__}, t = {t} | {' | '.join(values)} | {spent:.1f} |", flush=True)
            rows += [known, clean[0], x[0], one[0], walked[0]]
            strip = [step.x[0] for step in film] + [step.x0[0] for step in film]
            save_image(grid(strip, len(film)), out / f"{Path(name).stem}-{type(degradation).__name__}-film.png")
    path = save_image(grid(rows, 5), out / "halves.png")
    print(f"known half, clean, degraded, one call, Algorithm 2: {path}; films beside it")


NOISE = GaussianNoise(RectifiedFlow())


@dataclass(frozen=True)
class Bench:
    photographs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Photographs; the longer side is reduced to 250 px (default: one that comes with scikit-image)."""
    errors: bool = False
    """Only 2."""

    @torch.no_grad()
    def __call__(self) -> None:
        print(describe())
        for path in self.photographs or (bundled.bundled_photograph(),):
            print(f"\n{path.name}")
            photograph = load_image(path, 250)
            if not self.errors:
                speed(photograph)
            nearness(photograph)
        if not self.errors:
            halves()


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
