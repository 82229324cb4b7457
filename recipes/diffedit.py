"""DiffEdit: a picture changed by words, where the words change it and nowhere else.

Couairon et al. 2022, "DiffEdit: Diffusion-based semantic image editing with mask guidance", arXiv 2210.11427.

    python recipes/diffedit.py runs/captioned seven.png --source "a red seven" --prompt "a blue seven"
    python recipes/diffedit.py runs/captioned seven.png --prompt "a blue seven" --mask mask.png   # the mask is yours
    python recipes/diffedit.py runs/sd bowl.jpg --source "a bowl of apples" --prompt "a bowl of pears"

RUN is one of text_to_image.py, one with classes, or a published model that was imported. The mask is where its estimates of the
noised picture differ between the two texts; the picture is inverted by DDIM, and walked back by the new text, held to the
inversion's own trajectory outside the mask. What it is worth: docs/text.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade.files import subfolder
from recipes.command import cli
from recipes.command.limits import GUIDANCE, SHARE, check_options
from recipes.command.masks import read_mask
from recipes.command.outputs import check_outputs, plain_stem
from recipes.command.pasteable import program
from recipes.command.seen import OF_A_RUN, say_seen
from recipes.command.source import results, worded
from recipes.command.walk import WithRun
from restore.pipelines.diffedit import MASK_SEVERITY, NOISES, SEVERITY, THRESHOLD, check_text, diffedit


@dataclass(frozen=True)
class DiffEdit(WithRun):
    """A picture changed by words, where these change it."""

    image: Positional[Path]
    """The picture to edit."""
    _: KW_ONLY
    prompt: str
    """What the picture is to show, or the class."""
    source: str = ""
    """What it shows now (default: nothing in particular)."""
    negative: str | None = None
    """Words that guidance leads away from."""
    guidance: float | None = None
    """Weight of the words, 1 as learned (default: the run's)."""
    mask: Path | None = None
    """Picture of the same size, white where it may change (default: where the two texts disagree)."""
    severity: float = SEVERITY
    """To which the picture is inverted: more of it changes more."""
    mask_severity: float = MASK_SEVERITY
    """At which estimates are compared."""
    noises: int = NOISES
    """Draws of noise that they are compared over."""
    threshold: float = THRESHOLD
    """How many times their mean difference a place of the mask has: less makes it larger."""
    iterations: int = 0
    """Of each step of the inversion: more lead back more exactly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, severity=SHARE, mask_severity=(1e-6, 1 - 1e-6), noises=(1, 1000), threshold=(1e-6, 1000))
        check_options(self, iterations=(0, 100), guidance=GUIDANCE)

    def __call__(self) -> None:
        from restore.data.images import grid

        run = worded(self.opened().using(guidance=self.guidance), None, self.negative)
        check_text(run, self.prompt)
        name = plain_stem(self.image)
        names = (name, f"{name}-mask", f"{name}-grid")
        out = check_outputs(self.out, subfolder(results(self.run), "diffedit"), names[:1], names[1:], (self.image, self.mask))
        picture = run.read(self.image)
        say_seen(self.image, picture, OF_A_RUN)
        mask = None if self.mask is None else read_mask(self.mask, picture, self.image)[None]
        made = diffedit(
            run,
            picture[None],
            self.prompt,
            self.source,
            mask,
            severity=self.severity,
            mask_severity=self.mask_severity,
            noises=self.noises,
            threshold=self.threshold,
            iterations=self.iterations,
            seed=self.seed,
        )
        shown = 2 * made.mask[0] - 1
        whole = grid([picture, shown.expand_as(picture), made.images[0]], 3, at_least=64)
        note = {"run": run.name, **run.origin, "source": self.source, "prompt": self.prompt}
        first, *others = (out.save(one, image, note) for one, image in zip(names, (made.images[0], shown, whole), strict=True))
        print(f"{first}; the mask is {made.mask.mean():.1%} of it: {', '.join(path.name for path in others)}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(DiffEdit, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
