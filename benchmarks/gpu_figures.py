"""What is measured on a device: figures of benchmarks/gpu.py."""

from __future__ import annotations

from machine import describe, seconds  # noqa: F401, first: finds the project's packages

import shutil  # isort: skip
import statistics
import time
from functools import partial
from pathlib import Path

import canvas as canvas_of_any_size
import torch
import training_step
from gpu_checks import Figures, Scene, tested
from published import Published
from single_image import FIGURES

from degrade import GaussianNoise, LinearBeta, State, seeds
from models import PatchUNetConfig
from restore import Restorer, closed_form, load_image, open_run, save_image, train
from restore.evaluation.single_image import Judge
from restore.machine.capture import Captured
from restore.training.trial import bfloat16_is_hopeless
from samplers import DDIM, sample, uniform


def training(scene: Scene) -> Figures:
    """A step of the published network at 164 x 248: ours at its best against the published code's at its best."""
    figures: Figures = {}
    for batch in (1,) if scene.tiny else (1, 16):
        shape = (batch, 3, *((16, 24) if scene.tiny else (164, 248)))
        rows = training_step.rows(shape, scene.device, scene.published, captured=True)[:: 4 if scene.tiny else 1]
        if batch > 1 and not scene.tiny:  # whose memory all of them need at once: of ours the captured ones, in both layouts
            rows = [row for row in rows if row.published or row.captured]
        times = training_step.in_turns(rows, 1 if scene.tiny else 9, alone=not scene.tiny, until=scene.until)
        ours, theirs = (training_step.names(rows, times, whose) for whose in (False, True))
        if scene.published and not theirs:
            raise RuntimeError(f"the published step of batch {batch} could not be taken")
        best = training_step.best(times, ours)
        figures[f"batch {batch}, ms"] = 1000 * statistics.median(times[best])
        figures[f"batch {batch}, best"] = best
        if theirs:
            other = training_step.best(times, theirs)
            figures[f"batch {batch}, published / ours"] = training_step.ratio(times[other], times[best])
            figures[f"batch {batch}, published best"] = other
    ratios = [value for name, value in figures.items() if name.endswith("published / ours")]
    return figures | ({"wanted": "ratio >= 3", "ok": min(map(float, ratios)) >= 3} if ratios else {})


def sampling(scene: Scene) -> Figures:
    """25 steps at 188 x 248 with the published network, against the 1000 of the published code at 184 x 248."""
    shape = (1, 3, 16, 24) if scene.tiny else (1, 3, 188, 248)
    steps, theirs_take = (2, 2) if scene.tiny else (25, 1000)
    noise, x = GaussianNoise(LinearBeta(1000)), torch.randn(shape).to(scene.device)
    network = PatchUNetConfig().build().eval()
    network.to(scene.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    figures: Figures = {}
    for precision in ("float32",) if bfloat16_is_hopeless(scene.device) else ("float32", "bfloat16"):
        restorer = Restorer(network, noise, "eps", precision)  # type: ignore[arg-type]
        start = State(x, noise.draw(x))
        for name, restore in (("", restorer), (", captured", Captured(restorer))):
            walk = partial(sample, DDIM(), restore, noise, start, uniform(steps), generator=seeds(0, 1))
            figures[f"{precision}{name}, ms"] = 1000 * seconds(walk)
    best = min(float(value) for value in figures.values())
    if scene.published:
        code, size = Published(scene.published, scene.device), (1, 3, *(side // 8 * 8 for side in shape[2:]))
        code.network.eval()
        for warm in (True, False):
            walk = code.process.p_sample_loop_progressive(code.network, size, model_kwargs={}, device=scene.device)
            before = time.perf_counter()
            for count, _ in enumerate(walk, 1):
                if count == min(theirs_take, 3 if warm else 1000):
                    break
            if scene.device.startswith("cuda"):
                torch.cuda.synchronize()
            took = (time.perf_counter() - before) / count
        ratio = 1e6 * took / best
        figures |= {
            "published, 1000 steps, s": 1000 * took,
            "published / ours": ratio,
            "wanted": "ratio >= 120",
            "ok": ratio >= 120,
        }
    return figures


def minute(scene: Scene) -> Figures:
    """A photograph of 250 px learned in 60 s: seconds, steps, and the four figures of one sample, beside a peer's."""
    figures: Figures = {}
    for photograph in scene.photographs or (scene.photograph,):
        folder = scene.out / "runs" / photograph.stem
        shutil.rmtree(folder, ignore_errors=True)
        before = time.perf_counter()
        made = train(scene.recipe(photograph), folder, scene.device, None if scene.tiny else 1.0)
        name, clean = photograph.stem, made.read()
        figures |= {f"{name}, s": time.perf_counter() - before, f"{name}, steps": made.step}
        begun = time.perf_counter()
        sample_ = open_run(folder, scene.device).generate(progress=False)[0]
        figures[f"{name}, sampled in s"] = time.perf_counter() - begun
        save_image(sample_, scene.out / f"{name}.png")
        judge = Judge(clean, every=16 if scene.tiny else 1)
        ours = [getattr(judge(sample_), figure) for figure in FIGURES[:4]]
        figures |= {f"{name}, {figure}": value for figure, value in zip(FIGURES, ours, strict=False)}
        if scene.peers:
            peer = judge(load_image(scene.peers / f"{name}.png", max(clean.shape[1:])))
            theirs = [getattr(peer, figure) for figure in FIGURES[:4]]
            figures |= {f"{name}, {figure} of the peer": value for figure, value in zip(FIGURES, theirs, strict=False)}
            met = all(a <= b for a, b in zip(ours, theirs, strict=True))
            figures |= {"wanted": "all four at most the peer's", "ok": met and bool(figures.get("ok", True))}
    return figures


def megapixel(scene: Scene) -> Figures:
    """1024 x 1024 from a photograph of up to 1024 px without training, the second time."""
    size, detail = ((40, 48), 48) if scene.tiny else ((1024, 1024), 1024)
    pipeline = closed_form(scene.photograph, detail, device=scene.device)
    for _ in range(1 if scene.tiny else 2):
        before = time.perf_counter()
        (image,) = pipeline.generate(size, progress=False)
        took = time.perf_counter() - before
    save_image(image, scene.out / "megapixel.png")
    return {
        "s": took,
        "photograph": "x".join(map(str, pipeline.photograph.shape[1:])),
        "wanted": "at most 2 s",
        "ok": took <= 2,
    }


def canvas(scene: Scene) -> Figures:
    """8192 x 8192 on disk, two steps of the run of `minute`: the walk in tiles, and the PNG."""
    side, tile = (64, 56) if scene.tiny else (8192, 1024)
    run: Path = scene.out / "runs" / scene.photograph.stem
    if not (run / "checkpoints").exists():
        minute(scene)
    took, memory, size = canvas_of_any_size.make(canvas_of_any_size.Bench(run, steps=2, tile=tile), side)
    return {"side": side, "s": took, "memory, GiB": memory / 2**30, "PNG, MiB": size / 2**20}


def suite(scene: Scene) -> Figures:
    """All tests, those that look for a GPU on it."""
    return tested(
        scene, ["tests/degrade/test_counters.py::test_of_another_batch"] if scene.tiny else ["tests"], 0 if scene.tiny else 12
    )


ROWS = {row.__name__: row for row in (training, sampling, megapixel, minute, canvas, suite)}
