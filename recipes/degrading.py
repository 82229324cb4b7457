"""A film of a degradation: D(x0, t, z) for t from 0 to 1, one latent z, as a strip (.png) or animation (.gif); or one picture.

python recipes/degrading.py photo.jpg degradation:snow --out snow.gif
python recipes/degrading.py photo.jpg degradation:snow --severity .5 --seed 3 --size 4000 --out snowy.png
python recipes/degrading.py photo.jpg degradation:gaussian-mask --degradation.reverse --frames 8 --out mask.png
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from degrade import GaussianBlur, Operator, seeds
from degrade.lazy import torch
from degrade.tree import tree_map
from recipes.command import cli
from recipes.command.limits import SEED, SHARE, SIDE, check_options
from recipes.command.outputs import check_file
from recipes.command.pasteable import program
from recipes.command.seen import say_seen


@dataclass(frozen=True)
class Degrading:
    """Degrades one image step by step."""

    image: Positional[Path]
    """The clean image."""
    degradation: Operator = field(default_factory=GaussianBlur)
    """What is done to it."""
    out: Path = Path("degraded.png")
    """A .png for a strip, a .gif or .webp for an animation."""
    frames: int = 8
    """How many severities, from 0 to 1."""
    size: int = 256
    """The longer side is reduced to this, pixels."""
    severity: float | None = None
    """One picture at this severity, in place of a film."""
    seed: int = 0
    """Of the latent."""

    def __post_init__(self) -> None:
        check_options(self, frames=(2, 1000), size=SIDE, seed=SEED, severity=SHARE)
        if self.out.suffix.lower() not in (".png", ".gif", ".webp"):
            raise ValueError(f"degradations are written to a .png (strip) or a .gif or .webp (animation), not to {self.out}.")

    def __call__(self) -> None:
        from restore.data.images import grid, load_image, save_animation, save_image
        from restore.machine.provenance import provenance

        check_file(self.out, self.image)
        x0 = load_image(self.image, self.size)[None]
        say_seen(self.image, x0[0], "--size")
        latent = self.degradation.draw(x0, seeds(self.seed, 1))
        if self.severity is not None:
            image = self.degradation(x0, torch.full((1,), self.severity), latent)[0].clamp(-1, 1)
            path = save_image(image, self.out, provenance())
            print(f"severity {self.severity:g}: {path}")
            return
        many = x0.expand(self.frames, -1, -1, -1)
        t = torch.linspace(0, 1, self.frames)
        frames = list(self.degradation(many, t, tree_map(lambda z: z.expand(self.frames, *z.shape[1:]), latent)).clamp(-1, 1))
        if self.out.suffix.lower() != ".png":
            path = save_animation([*frames, *frames[-2:0:-1]], self.out, text=provenance())  # there and back
        else:
            path = save_image(grid(frames, self.frames), self.out, provenance())
        print(f"{self.frames} severities from 0 to 1: {path}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Degrading, args=args, prog=program(__file__), description=__doc__, config=(tyro.conf.CascadeSubcommandArgs,))()


if __name__ == "__main__":
    cli.run(main)
