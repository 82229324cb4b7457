"""DreamBooth on captioned digits: does a rare word learn a subject, and what do other words lose, with lambda 0 and 1?

    python recipes/text_to_image.py train captioned --out runs/captioned
    python benchmarks/dreambooth.py runs/captioned

The subject is four scans of one digit that are nearest to each other, of the test set, in colours that no caption names: orange
above, turquoise below. As it is trained, at every so many steps:

    subject     of "a zq seven": cosine with the subject's picture that it is nearest to, both centred
    placed      of "a zq seven on the left" and three more places: cosine as before, and whether it is there
    class       of "a seven": cosine with the subject (high: every seven has become it), and diversity: mean of 1 - cosine over
                pairs of them, and colours that are named among them
    others      captions of the test set: digits, colours and places that are right (language drift)
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import shutil  # isort: skip
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
import tyro
from captioned import colour_of, judged, reader
from torch import Tensor

from restore import open_run, save_image
from restore.data import bundled
from restore.data.captioned import DIGITS, PLACES, SIDE, SIZES, tested
from restore.data.images import grid, image_files
from restore.pipelines.network import NetworkPipeline
from restore.tuning.dreambooth import DreamBoothSettings, captions, dreambooth, suited

ABOVE, BELOW = (1.0, 0.5, 0.1), (0.1, 0.8, 0.8)


def subject_of(digit: int, count: int = 4) -> list[Tensor]:
    """Pictures (3, SIDE, SIDE) of the `count` test scans of a digit that are nearest to each other."""
    scans, labels = bundled.scans()
    own = scans[(labels == digit) & tested(scans)]
    flat = torch.nn.functional.normalize(own.flatten(1), dim=1)
    alike = flat @ flat.T
    first = int(alike.topk(count, dim=1).values.sum(1).argmax())
    chosen = own[alike[first].topk(count).indices]
    side = SIZES[""]
    ink = torch.nn.functional.interpolate(chosen[:, None], (side, side), mode="bicubic", align_corners=False).clamp(0, 1)
    share = torch.linspace(0, 1, side)[None, None, :, None]
    colour = (1 - share) * torch.tensor(ABOVE)[None, :, None, None] + share * torch.tensor(BELOW)[None, :, None, None]
    images = torch.full((count, 3, SIDE, SIDE), -1.0)
    near = (SIDE - side) // 2
    images[..., near : near + side, near : near + side] = 2 * ink * colour - 1
    return list(images)


def centred(images: Tensor) -> Tensor:
    """What pictures (B, 3, H, W) in [-1, 1] show, the middle of its ink in theirs: unit vectors (B, 3 H W)."""
    light = ((images + 1) / 2).clamp(0, 1)
    light = light - light.amin((2, 3), keepdim=True)
    ink = light.amax(1)
    total = ink.sum((1, 2)).clamp(min=1e-6)
    place = torch.arange(float(SIDE))
    rows, columns = ((ink.sum(axis) * place).sum(1) / total for axis in (2, 1))
    moved = [
        picture.roll((round(SIDE / 2 - float(y)), round(SIDE / 2 - float(x))), (1, 2))
        for picture, y, x in zip(light, rows, columns, strict=True)
    ]
    return torch.nn.functional.normalize(torch.stack(moved).flatten(1), dim=1)


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    digit: int = 7
    """Of the subject."""
    noun: str | None = None
    """What the subject's class is called (default: its digit)."""
    priors: tuple[float, ...] = (0.0, 1.0)
    """Lambdas."""
    training_steps: int = 200
    """In all."""
    every: int = 50
    """Steps between two rows."""
    rate: float | None = None
    """Learning rate (default: what suits the run)."""
    count: int = 12
    """Images of the subject, of it in each place, and of its class; twice as many other captions."""
    class_images: int = 48
    """That the network makes beforehand."""
    class_guidance: float | None = None
    """Weight of the noun in these (default: the run's); 1 for what the network itself takes the noun to be."""
    steps: int = 20
    """Of the walk."""
    out: Path = Path("runs/dreambooth-benchmark")
    """Folder for the pictures."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu").using(steps=self.steps)
        features = reader()
        assert features.classify is not None
        subject = subject_of(self.digit)
        usual = suited(run)
        print(f"{describe()}\ndigits are read by {features.name}\n")
        print("| lambda, steps | subject | placed | there | class: subject | diversity | colours | digit | colour | place |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        print(self.row("before", run, subject, features.classify), flush=True)
        makes = run.using(guidance=self.class_guidance)
        for prior in self.priors:
            folder = self.out / f"lambda-{prior:g}"
            shutil.rmtree(folder, ignore_errors=True)
            batch = usual.batch if prior else usual.batch // 2  # as many pictures of the subject
            settings = DreamBoothSettings(self.training_steps, self.rate or usual.rate, batch, prior, self.class_images)

            def look(tuned: NetworkPipeline, step: int, prior: float = prior) -> None:
                tuned = tuned.using(guidance=run.sampling.guidance)
                print(self.row(f"{prior:g}, {step}", tuned, subject, features.classify), flush=True)  # type: ignore[arg-type]

            since = time.process_time()
            dreambooth(makes, subject, self.noun or DIGITS[self.digit], folder, settings, look=look, every=self.every)
            print(f"<!-- {time.process_time() - since:.0f} CPU seconds with the rows -->")
        print(f"\n{self.out}: grids of the subject's pictures, then of subject, places, class, others, as the rows name them")

    def row(self, name: str, run: NetworkPipeline, subject: list[Tensor], read: Callable[[Tensor], Tensor]) -> str:
        named, kind = captions(self.noun or DIGITS[self.digit])
        of_subject = centred(torch.stack(subject))

        def made(*lines: str) -> Tensor:
            return run.generate(count=len(lines), condition=list(lines), batch=50, progress=False)

        own, others = made(*[named] * self.count), made(*[kind] * self.count)
        places = [f"{named} {place}" for place in PLACES for _ in range(-(-self.count // len(PLACES)))]
        placed = made(*places)
        files = image_files(bundled.written("captioned") / "test" / "seen")[: 2 * self.count]
        lines = [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]
        said = made(*lines)
        found = [judged(image, line, read) for image, line in zip(said, lines, strict=True)]
        there = [self.there(image, caption) for image, caption in zip(placed, places, strict=True)]
        apart = 1 - centred(others) @ centred(others).T
        diversity = float(apart.sum()) / (self.count * (self.count - 1))
        colours = len({colour_of((image + 1) / 2) for image in others})
        figures = [
            f"{float((centred(own) @ of_subject.T).amax(1).mean()):.3f}",
            f"{float((centred(placed) @ of_subject.T).amax(1).mean()):.3f}",
            f"{fmean(there):.0%}",
            f"{float((centred(others) @ of_subject.T).amax(1).mean()):.3f}",
            f"{diversity:.3f}",
            str(colours),
            f"{fmean(one.digit for one in found):.0%}",
            f"{fmean(one.colour for one in found):.0%}",
            f"{fmean(one.place for one in found if one.place is not None):.0%}",
        ]
        rows = [*subject, *own[:8], *placed[:: max(1, len(placed) // 8)][:8], *others[:8], *said[:8]]
        save_image(grid(rows[: len(subject) + 32], 4, at_least=64), self.out / f"{name.replace(', ', '-steps-')}.png")
        return f"| {name} | {' | '.join(figures)} |"

    @staticmethod
    def there(image: Tensor, caption: str) -> float:
        """Whether the ink lies where the caption says: more than 2 pixels to that side of the middle, less than 4 across."""
        ink = ((image + 1) / 2).amax(0)
        ink = torch.where(ink > 0.25, ink, 0)
        place = torch.arange(float(SIDE)) - (SIDE - 1) / 2
        y, x = (float((ink.sum(axis) * place).sum() / ink.sum().clamp(min=1e-6)) for axis in (1, 0))
        towards = {"left": (-x, y), "right": (x, y), "top": (-y, x), "bottom": (y, x)}[caption.split()[-1]]
        return float(towards[0] > 2 and abs(towards[1]) < 4)


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
