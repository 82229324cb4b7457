"""How well does it restore, or generate? The tables of Cold Diffusion (arXiv 2208.09392) for any run and test images.

    python recipes/evaluate.py restoration runs/digits-iterated-blur                   # the test images of its set
    python recipes/evaluate.py restoration runs/faces-snow test/ --severities 0.5 1
    python recipes/evaluate.py restoration runs/faces-snow test/ --features inception.safetensors --lpips alex.safetensors
    python recipes/evaluate.py generation runs/digits-iterated-blur --noise 0
    python recipes/evaluate.py classes runs/digits --guidance 1 1.5 2 3

PSNR (inf where an image equals the clean one), SSIM, RMSE (in units of [0, 1] pixels), and LPIPS if you have its weights,
compare with the clean image. The Frechet and the kernel distance compare the set with the clean set: FID and KID, in the
features of FID's Inception, if you have its weights (docs/evaluation.md), else in those of a small classifier that is trained
here and named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade import Estimable
from degrade.files import atomic_write, subfolder
from degrade.lazy import torch
from recipes.command import cli
from recipes.command.limits import COUNT, GUIDANCE, NOISE, SEED, SHARE, STEPS, check_options
from recipes.command.outputs import Outputs, check_file, check_outputs
from recipes.command.pasteable import program
from recipes.command.source import is_run, opened, results
from restore.data import bundled
from restore.pipelines.pipeline import Pipeline
from restore.run import Run
from samplers import DDIM, Improved, Naive, Sampler

if TYPE_CHECKING:
    from torch import Tensor

    from restore.evaluation.features import Features
    from restore.evaluation.perceptual import Perceptual


@dataclass(frozen=True)
class _Evaluation:
    source: Positional[Path]
    """A run (its folder, or hf://user/run), or a photograph to work from without training."""
    test: Positional[Path | None] = None
    """Folder of test images (default: the folder "test" beside the training images)."""
    features: Path | None = None
    """Weights of FID's Inception-v3, a safetensors file: how to make it is said in docs/evaluation.md."""
    images: int = 360
    """How many, at least 2: the middles of so many files, or random crops if there are fewer files."""
    steps: int | None = None
    """Steps of the walk back (default: the recipe's)."""
    seed: int = 0
    """Image i is degraded, or generated, with the seed `seed + i`."""
    device: str | None = None
    """Where it runs, such as cpu or cuda:1 (default: a GPU if available)."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed."""

    def __post_init__(self) -> None:
        check_options(self, images=(2, COUNT[1]), steps=STEPS, seed=SEED)

    def opened(self) -> Pipeline:
        return opened(self.source, types=self.types, device=self.device).using(steps=self.steps)

    def compared(self, pipeline: Pipeline) -> tuple[Tensor, Features]:
        """The clean test images (N, C, H, W), and the features to compare sets in."""
        from restore.evaluation.features import of_classifier, squares

        test, source, learned = self.folder(pipeline), pipeline.data, pipeline.images
        features = self.pretrained(pipeline, self.features) if self.features else None
        images = list(squares(source, test, self.images))
        sizes = {tuple(x.shape[1:]) for x in images}
        if len(sizes) > 1:
            raise ValueError(f"{test} holds images of {len(sizes)} sizes, such as {sorted(sizes)[:2]}: expected one size.")
        return torch.stack(images), features or of_classifier(source, learned or test, test)

    def pretrained(self, pipeline: Pipeline, weights: Path) -> Features:
        from models.inception import InceptionV3
        from restore.evaluation.features import of_network
        from restore.storage.weights import load_network

        self.check_colours(pipeline)
        network = load_network(InceptionV3, weights)
        return of_network(network, f"2048 features of FID's Inception-v3, weights {weights.name}", pipeline.device)

    def check_colours(self, pipeline: Pipeline) -> None:
        """Raises ValueError for images that no published network takes."""
        if pipeline.size[0] not in (1, 3):
            raise ValueError(
                f"published networks take grey or colour images, and {self.source} makes images of {pipeline.size[0]} channels."
            )

    def generated(self, pipeline: Pipeline, like: Tensor, what: str, guidance: float | None = None) -> Tensor:
        """As many images as `like` holds, of their size; image i has the seed `seed + i`."""
        (count, _, height, width), parts, guided = like.shape, [], pipeline.using(guidance=guidance)
        for first in batches(count, what):
            few, seed = min(32, count - first), self.seed + first
            parts.append(guided.generate((height, width), few, seed, batch=32, progress=False))
        return torch.cat(parts)

    def finish(
        self,
        pipeline: Pipeline,
        out: Outputs,
        rows: list[str],
        features: Features,
        images: list[Tensor],
        columns: int,
        shown: str,
        note: str = "",
    ) -> None:
        """Prints the table, and writes it and the picture."""
        from restore.data.images import grid

        table = "\n".join([*rows, "", f"Frechet and kernel distance: {features.name}. {note}Restorer: {pipeline.identity}."])
        print(table)
        (name,) = out.files
        picture = out.save(name, grid(images, columns, at_least=64))
        with atomic_write(picture.with_suffix(".md")) as part:
            part.write_text(table + "\n", encoding="utf-8")
        print(f"{picture.with_suffix('.md')}, {picture} ({shown})")

    def outputs(self, name: str) -> Outputs:
        """Where the picture goes, the table beside it: into the run's folder, or into one of the photograph's name. Raises
        ValueError in one line where they cannot be written."""
        own = Path("runs") / f"{self.source.stem}-evaluation"
        out = check_outputs(None, subfolder(results(self.source), "evaluation") if is_run(self.source) else own, [name])
        check_file(out[name].with_suffix(".md"))
        return out

    def folder(self, pipeline: Pipeline) -> Path:
        test = bundled.located(self.test, "test") if self.test else pipeline.images and bundled.test_images(pipeline.images)
        if test is None or not test.is_dir():
            given = f"{self.test} is no folder" if self.test else "there are no test images beside those that were trained on"
            raise ValueError(f"{given}: name a folder of images that were not trained on.")
        return test


@dataclass(frozen=True)
class Restoration(_Evaluation):
    """Degraded, direct, Algorithm 1 and Algorithm 2, at each severity; the table and a strip of images go into the run."""

    severities: tuple[float, ...] = (1.0,)
    """How far to degrade, each in (0, 1]."""
    lpips: Path | None = None
    """Weights of LPIPS, a safetensors file: how to make it is said in docs/evaluation.md."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severities=SHARE)

    def __call__(self) -> None:
        from restore.evaluation.tables import DISTANCES, FIDELITY, distances, fidelity, header, line

        out = self.outputs("restoration")
        pipeline = self.opened()
        if isinstance(pipeline, Run) and pipeline.recipe.paired:
            raise ValueError(f"{self.source} learned from pairs, and cannot degrade test images: see benchmarks/pairs.py.")
        perceptual = self.perceptual(pipeline)
        clean, features = self.compared(pipeline)
        if perceptual:
            perceptual.distance(clean[:1], clean[:1])  # refuses images that are too small, before the work
        reference = features.extract(clean)
        rows = header("severity", "images", *FIDELITY, *(["LPIPS"] if perceptual else []), *DISTANCES)
        strips: list[Tensor] = []
        for severity in self.severities:
            columns = self.restored(pipeline, clean, severity)
            for name, x in columns.items():
                seen = [f"{float(perceptual.distance(x, clean).mean()):.4f}"] if perceptual else []
                apart = distances(features.extract(x), reference)
                rows.append(line(f"{severity:g}", name, *fidelity(x, clean), *seen, *apart))
            strips += [x[i] for i in range(min(6, len(clean))) for x in (clean, *columns.values())]
        note, shown = f"{perceptual.name}. " if perceptual else "", f"clean, {', '.join(columns)}"
        self.finish(pipeline, out, rows, features, strips, 1 + len(columns), shown, note)

    def perceptual(self, pipeline: Pipeline) -> Perceptual | None:
        """LPIPS, where its weights were given."""
        if self.lpips is None:
            return None
        from restore.evaluation.perceptual import perceptual

        self.check_colours(pipeline)
        return perceptual(self.lpips, pipeline.device)

    def restored(self, pipeline: Pipeline, clean: Tensor, severity: float) -> dict[str, Tensor]:
        """What becomes of the clean images, by name."""
        samplers: dict[str, Sampler] = {"Algorithm 1": Naive(), "Algorithm 2": Improved()}
        if isinstance(pipeline.degradation, Estimable):
            samplers["Algorithm 2, estimated latent"] = DDIM()
        columns: dict[str, list[Tensor]] = {name: [] for name in ("degraded", "direct", *samplers)}
        for first in batches(len(clean), f"restoring at severity {severity:g}"):
            part = clean[first : first + 32]
            for name, sampler in samplers.items():
                walked = pipeline.using(sampler=sampler)
                result = walked.degrade_and_restore(part, severity, seed=self.seed + first, progress=False)
                columns[name].append(result.restored)
            columns["degraded"].append(result.degraded.clamp(-1, 1))
            columns["direct"].append(result.direct)
        return {name: torch.cat(parts) for name, parts in columns.items()}


@dataclass(frozen=True)
class Generation(_Evaluation):
    """Images from the run's prior beside the test images: Frechet and kernel distance, diversity; the table and a grid go into
    the run.

    Diversity: per-pixel standard deviation over the images. Distance: RMS between two images. In units of [0, 1] pixels.
    """

    noise: float | None = None
    """Standard deviation of a thumbnail prior's noise (default: the run's; 0 leaves symmetric images symmetric)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, noise=NOISE)

    def __call__(self) -> None:
        from restore.evaluation.tables import DISTANCES, distances, header, line

        out = self.outputs("generation" if self.noise is None else f"generation-noise-{self.noise:g}")
        pipeline = self.opened()
        if self.noise is not None:
            pipeline = pipeline.with_noise(self.noise)
        clean, features = self.compared(pipeline)
        reference = features.extract(clean)
        made = self.generated(pipeline, clean, "generating")
        rows = header("images", *DISTANCES, "diversity", "distance")
        for name, x in (("test images", clean), ("generated", made)):
            between = ((x - x.roll(1, 0)) / 2).square().flatten(1).mean(1).sqrt().mean()
            apart = distances(features.extract(x), reference)
            rows.append(line(name, *apart, f"{float((x / 2).std(0).mean()):.4f}", f"{float(between):.4f}"))
        self.finish(pipeline, out, rows, features, list(made[:32]), 8, "generated")


@dataclass(frozen=True)
class Classes(_Evaluation):
    """Images of each class in turn, at each guidance: the share that a classifier takes for what was asked for, their Frechet
    and kernel distance, and diversity; the table and a grid, ten images a class at the last guidance, go into the run."""

    guidance: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0)
    """How strongly the class counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, guidance=GUIDANCE)
        if self.features:
            raise ValueError("classes are told apart by a classifier that is trained on them: leave out --features.")

    def __call__(self) -> None:
        from restore.evaluation.tables import DISTANCES, distances, header, line

        out = self.outputs("classes")
        pipeline = self.opened()
        if len(pipeline.classes) < 2:
            raise ValueError(f"{self.source} does not know classes, two or more: there is nothing to tell apart.")
        clean, features = self.compared(pipeline)
        reference = features.extract(clean)
        assert features.classify is not None
        rows = header("guidance", "images", "accuracy", *DISTANCES, "diversity")
        for weight in self.guidance:
            made = self.generated(pipeline, clean, f"generating at guidance {weight:g}", weight)
            asked = (self.seed + torch.arange(len(made))) % len(pipeline.classes)
            right = (features.classify(made) == asked).float().mean()
            apart, varied = distances(features.extract(made), reference), float((made / 2).std(0).mean())
            rows.append(line(f"{weight:g}", len(made), f"{float(right):.1%}", *apart, f"{varied:.4f}"))
        columns = len(pipeline.classes)
        self.finish(
            pipeline, out, rows, features, list(made[: 10 * columns]), columns, f"a column for each of {columns} classes"
        )


def batches(count: int, what: str) -> Iterator[int]:
    """First indices of batches of 32, under a progress bar."""
    from tqdm import tqdm

    return iter(tqdm(range(0, count, 32), desc=what, unit="batch", leave=False))


Command = Union[
    Annotated[Restoration, tyro.conf.subcommand("restoration")],
    Annotated[Generation, tyro.conf.subcommand("generation")],
    Annotated[Classes, tyro.conf.subcommand("classes")],
]


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Command, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
