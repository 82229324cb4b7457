"""Writes real images that ship in Python packages, as folders of PNGs to train on and to test with.

    python recipes/datasets.py digits            # writes runs/data/digits/train and runs/data/digits/test

Recipes take a name in place of a folder: `python recipes/deblurring.py train digits`. restore/data/bundled.py lists the sets.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro

from recipes.command import cli
from recipes.command.pasteable import program
from restore.data.bundled import SETS, written


def main(args: Sequence[str]) -> None:
    """The command line of this file."""

    def write(name: Annotated[str, tyro.conf.Positional]) -> None:
        """Writes the set as folders of PNGs.

        Args:
            name: digits or photographs.
        """
        if name not in SETS:
            raise ValueError(f"{name!r} is no set; known are {', '.join(SETS)}.")
        print(f"train and test images in {written(name)}")

    tyro.cli(write, args=args, prog=program(__file__), description=__doc__)


if __name__ == "__main__":
    cli.run(main)
