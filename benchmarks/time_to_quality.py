"""Coherence, completeness and copying against training seconds: the fast preset, and the published code on the same machine.

    python benchmarks/time_to_quality.py photo.png ... --minutes 5.2 [--published elsewhere/SinDiffusion]

The fast preset is judged at six moments of one training (each a checkpoint, 4 samples), its clock including previews.
The published code, given batch 1 and its raw weights (its average over 10,000 steps has hardly moved
by then), is judged at the end, on one sample of 1000 steps. Figures are printed, and drawn into runs/time-to-quality.png.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from published import Published

from recipes import sindiffusion
from restore import load_image, save_image
from restore.data.images import grid
from restore.evaluation.single_image import Judge, Report, mean
from restore.run import open_run
from restore.training.session import train

FOLDER = Path("runs/time-to-quality")


@dataclass(frozen=True)
class Bench:
    photos: tyro.conf.Positional[tuple[Path, ...]]
    """What to learn, at 128 px."""
    minutes: float = 5.2
    """Of training."""
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""

    def __call__(self) -> None:
        print(f"{describe()}\n\n| | seconds | coherence | completeness | copied |\n| --- | --- | --- | --- | --- |")
        rows: dict[str, list[tuple[float, Report]]] = {}
        for photo in self.photos:
            sources = {f"fast, {photo.stem}": fast(photo, self.minutes)}
            if self.published:
                sources[f"published, {photo.stem}"] = published(photo, self.minutes, self.published)
            for name, points in sources.items():
                rows[name] = []
                for seconds, report in points:
                    rows[name].append((seconds, report))
                    figures = f"{report.coherence:.4f} | {report.completeness:.4f} | {report.copied:.3f}"
                    print(f"| {name} | {seconds:.0f} | {figures} |", flush=True)
        print(f"\nchart: {draw(rows)}; samples beside it")


def fast(photo: Path, minutes: float) -> Iterator[tuple[float, Report]]:
    """The fast preset at six moments."""
    recipe = sindiffusion.recipe(photo)
    sixth = -(-recipe.training.steps // 6)
    training = replace(recipe.training, save_every=sixth, preview_every=sixth, keep=99)
    folder = Path(tempfile.mkdtemp()) / "run"
    started = time.time()
    train(replace(recipe, training=training), folder, "cpu", minutes)
    clean = recipe.data.read(photo)
    judge = Judge(clean)
    for checkpoint in sorted((folder / "checkpoints").iterdir()):
        run = open_run(checkpoint, "cpu")
        samples = list(run.generate(count=4, progress=False))
        yield (checkpoint / "SHA256SUMS").stat().st_mtime - started, mean([*map(judge, samples)])
    save_image(grid([clean, *samples], 5), FOLDER / f"fast-{photo.stem}.png")
    shutil.rmtree(folder)


def published(photo: Path, minutes: float, home: Path) -> Iterator[tuple[float, Report]]:
    """The published code for the same time."""
    code, clean = Published(home), load_image(photo, 128)
    generator = torch.Generator().manual_seed(0)
    before, steps = time.perf_counter(), 0
    while time.perf_counter() - before < 60 * minutes:
        factors = 0.75 + 0.5 * torch.rand(2, generator=generator)
        shape = [int(side * factor) // 4 * 4 for side, factor in zip(clean.shape[1:], factors.tolist(), strict=True)]
        code.step(torch.nn.functional.interpolate(clean[None], shape, mode="bicubic"))
        steps += 1
    seconds = time.perf_counter() - before
    height, width = (side // 8 * 8 for side in clean.shape[1:])
    sample = code.sample((1, 3, height, width))[0].clamp(-1, 1)
    print(f"published code: {steps} steps in {seconds:.0f} s; one sample took {time.perf_counter() - before - seconds:.0f} s")
    save_image(grid([clean, sample], 2), FOLDER / f"published-{photo.stem}.png")
    yield seconds, Judge(clean)(sample)


def draw(rows: dict[str, list[tuple[float, Report]]]) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axis, name in zip(figure.subplots(1, 3), ("coherence", "completeness", "copied"), strict=True):
        for label, points in rows.items():
            axis.plot([x for x, _ in points], [getattr(report, name) for _, report in points], "o-", label=label)
        axis.set_xlabel("training seconds")
        axis.set_title(name)
        axis.grid(alpha=0.3)
    figure.axes[0].legend()
    path = FOLDER.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__)()
