"""InstructPix2Pix: pictures changed by instructions, "make it blue", by a network that learned from pictures before and after.

Brooks et al. 2022, "InstructPix2Pix: Learning to follow image editing instructions", arXiv 2211.09800.

    python recipes/instruct.py                               # digits with instructions, true by construction
    python recipes/instruct.py train instructed --start runs/captioned    # begins with a text-to-image run, as published
    python recipes/instruct.py train pairs/                  # pairs/before/a.png, pairs/after/a.png and a.txt
    python recipes/instruct.py edit runs/instructed seven.png --instruction "make it blue" --picture-guidance 2
    python recipes/instruct.py edit runs/pix2pix photo.jpg --instruction "make it snow"    # published, imported
    python recipes/instruct.py pairs runs/captioned edits.csv --out pairs/ --count 4       # before,after,instruction

`pairs` makes the data as the paper does, from captions: two pictures of one noise, by a run of text_to_image.py or a published
model, whose self-attention is shared for part of the walk (Prompt-to-Prompt). What it is worth: docs/text.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Annotated

import tyro
from tyro.conf import Positional

from degrade import Degradation
from degrade.files import atomic_write, subfolder
from degrade.random import Stream, seeded, uniform
from recipes import text_to_image
from recipes.command import cli
from recipes.command.limits import COUNT, GUIDANCE, check_options
from recipes.command.outputs import check_file, check_folder, check_outputs, plain_stem
from recipes.command.pasteable import pasteable
from recipes.command.seen import OF_A_RUN, say_seen
from recipes.command.source import results, worded
from recipes.command.training import Preset
from recipes.command.walk import Walk, WithRun
from restore import ConditionDropout, Folder
from restore.data.instructions import AFTER, BEFORE, Instructions, read_edits
from restore.machine.terminal import counted
from restore.pipelines.instruct import check_instructed, instruct
from restore.recipe import Recipe


def recipe(images: str | Path, preset: Preset = "fast", degradation: Degradation | None = None) -> Recipe:
    """text_to_image's, with the picture before as further channels of the network's input. Text, picture and both are each left
    out of 5% of the training; they are weighed by 3 and 1.5.
    """
    plain = text_to_image.recipe(images, preset, degradation)
    assert isinstance(plain.data, Folder)
    settings = {field.name: getattr(plain.data, field.name) for field in fields(plain.data)}
    dropout = ConditionDropout(image=0.05, text=0.05, whole=0.05)
    return replace(
        plain,
        data=Instructions(**settings),
        network=replace(plain.network, picture=plain.network.image_channels),  # type: ignore[type-var]
        training=replace(plain.training, condition_dropout=dropout),
        sampling=replace(plain.sampling, picture_guidance=1.5),
        show="instructions",
    )


@dataclass(frozen=True)
class Edit(Walk):
    """A picture changed as an instruction says."""

    image: Positional[Path]
    """The picture."""
    _: KW_ONLY
    instruction: str
    """What is to be changed."""
    negative: str | None = None
    """Words that guidance leads away from."""
    guidance: float | None = None
    """Weight of the instruction (default: the run's)."""
    picture_guidance: float | None = None
    """Weight of the picture, more keeps more of it (default: the run's)."""
    count: int = 1
    """Images; image i has the seed `seed + i`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, guidance=GUIDANCE, picture_guidance=GUIDANCE, count=COUNT)

    def __call__(self) -> None:
        from restore.data.images import grid

        run = self.opened().using(guidance=self.guidance, picture_guidance=self.picture_guidance)
        run = worded(run, None, self.negative)
        check_instructed(run, self.instruction)
        name = plain_stem(self.image)
        *names, sheet = (f"{name}-{end}" for end in (*(f"seed-{self.seed + i}" for i in range(self.count)), "grid"))
        out = check_outputs(self.out, subfolder(results(self.run), "instructed"), names, (sheet,), (self.image,))
        picture = run.read(self.image)
        say_seen(self.image, picture, OF_A_RUN)
        made = instruct(run, picture.expand(self.count, -1, -1, -1), self.instruction, seed=self.seed)
        note = {"run": run.name, **run.origin, "instruction": self.instruction}
        whole = grid([picture, *made], 1 + min(4, self.count), at_least=64)
        for one, image in zip((*names, sheet), (*made, whole), strict=True):
            out.save(one, image, note)
        print(out.said(sheet))


@dataclass(frozen=True)
class Pairs(WithRun):
    """Pictures before and after an instruction, made from captions by Prompt-to-Prompt: a folder for `train`."""

    edits: Positional[Path]
    """A table in UTF-8, a line before,after,instruction for each edit: two captions, and what leads from one to the other."""
    _: KW_ONLY
    count: int = 1
    """Pairs of each edit."""
    shares: tuple[float, float] = (0.1, 0.9)
    """Shares of the walk in which self-attention is shared: drawn between these for each pair."""
    guidance: float | None = None
    """Weight of the captions (default: the run's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, count=COUNT, shares=(1e-6, 1), guidance=GUIDANCE)
        if self.shares[0] > self.shares[1]:
            raise ValueError(f"shares rise, got {self.shares}.")

    def __call__(self) -> None:
        from restore.pipelines.prompt_to_prompt import paired

        edits, low, high = read_edits(self.edits), *self.shares
        folder = check_folder(self.out or subfolder(results(self.run), "pairs"))
        pictures = [f"{where}/{number:05d}" for number in range(len(edits) * self.count) for where in (BEFORE, AFTER)]
        out = check_outputs(folder, folder, pictures, inputs=(self.edits,))
        known = {out[name] for name in pictures}
        other = min({path for where in (BEFORE, AFTER) for path in (folder / where).glob("*.png")} - known, default=None)
        if other:
            raise ValueError(f"{folder} holds other pairs, such as {other.name}: name a folder for these alone with --out.")
        told = [check_file((out[name]).with_suffix(".txt"), self.edits) for name in pictures[1::2]]
        run = self.opened().using(guidance=self.guidance)
        for number, (before, after, instruction) in enumerate(edit for edit in edits for _ in range(self.count)):
            seed = self.seed + number
            share = low + (high - low) * float(uniform((1,), seeded(seed, Stream.PARTNER)))
            pair = paired(run, before, after, share, seed=seed, progress=False)
            for where, image in ((BEFORE, pair.before), (AFTER, pair.after)):
                out.save(f"{where}/{number:05d}", image, {"share": f"{share:.3f}"})
            with atomic_write(told[number]) as part:
                part.write_text(instruction + "\n", encoding="utf-8")
        print(f"{counted(number + 1, 'pair')} in {folder}; learn from them: {pasteable('train', folder, recipe='instruct.py')}")


main = cli.commands(
    recipe,
    __file__,
    __doc__,
    lambda: "instructed",
    more=(Annotated[Edit, tyro.conf.subcommand("edit")], Annotated[Pairs, tyro.conf.subcommand("pairs")]),
)

if __name__ == "__main__":
    cli.run(main)
