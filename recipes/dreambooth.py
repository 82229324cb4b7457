"""DreamBooth: a subject of a few pictures learned by a run that reads words, and called by a rare one.

Ruiz et al. 2022, "DreamBooth: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation", arXiv 2208.12242.

    python recipes/dreambooth.py runs/captioned subject/ --noun seven         # writes runs/subject-dreambooth
    python recipes/text_to_image.py sample runs/subject-dreambooth --prompt "a zq seven at the top"
    python recipes/dreambooth.py runs/sd dog/ --noun dog --token sks          # runs/sd: an imported Stable Diffusion

RUN is left as it is; what comes of it is a run, or an imported model, of the same kind. It is also trained on images that it
makes of "a seven" beforehand (--prior 0: not), so that others stay what they were: docs/tuning.md has what that is worth.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.limits import GUIDANCE, check_options
from recipes.command.outputs import check_folder, first_free, plain_stem
from recipes.command.pasteable import pasteable, program
from recipes.command.seen import OF_A_RUN, say_seen
from recipes.command.walk import Walk
from restore.machine.terminal import counted
from restore.tuning.dreambooth import TOKEN, DreamBoothSettings, captions, dreambooth, suited


@dataclass(frozen=True)
class DreamBooth(Walk):
    """Learn a subject. Options of the walk are for the images that are made of the noun beforehand."""

    subject: Positional[Path]
    """Folder with pictures of the subject, three to five for example."""
    _: KW_ONLY
    noun: str
    """What kind of thing it is, such as dog."""
    token: str = TOKEN
    """A word that nothing is called."""
    guidance: float | None = None
    """Weight of the words, 1 as learned (default: the run's)."""
    training_steps: int | None = None
    """Updates of the weights (default: 400 of a published model, else 200)."""
    rate: float | None = None
    """Learning rate (default: 5e-6, else 3e-4)."""
    batch: int | None = None
    """Images a step, half of them the subject's (default: 2, else 16)."""
    prior: float | None = None
    """Weight of the images of the noun, 0 for none (default: 1)."""
    class_images: int | None = None
    """Images of the noun that are made (default: 100)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, guidance=GUIDANCE)
        captions(self.noun, self.token)
        self.settings(DreamBoothSettings())

    def settings(self, suited: DreamBoothSettings) -> DreamBoothSettings:
        """Those that suit the run, but for what was asked for."""
        names = {one.name: "training_steps" if one.name == "steps" else one.name for one in fields(suited)}
        return replace(suited, **{name: value for name, own in names.items() if (value := getattr(self, own)) is not None})

    def __call__(self) -> None:
        from restore.data.images import image_files
        from restore.data.sources import Folder

        folder = check_folder(self.out or first_free(Path("runs") / f"{plain_stem(self.subject)}-dreambooth"))
        run = self.opened().using(guidance=self.guidance)
        source = run.data if isinstance(run.data, Folder) else Folder(max(run.size[1:]), channels=1 if run.size[0] == 1 else 3)
        files = image_files(self.subject)
        pictures = [source.middle(file) for file in files]
        for file, picture in zip(files, pictures, strict=True):
            say_seen(file, picture, OF_A_RUN)
        dreambooth(run, pictures, self.noun, folder, self.settings(suited(run)), self.token, self.subject)
        named, _ = captions(self.noun, self.token)
        print(f"{counted(len(pictures), 'picture')} learned in {folder}")
        print(f"sample it: {pasteable('sample', folder, '--prompt', named, recipe='text_to_image.py')}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(DreamBooth, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
