"""Share a run on the Hugging Face hub (extra `hub`), where anybody whom you let in opens it as hf://user/run.

    python recipes/push.py runs/photo me/photo                 # private, unless --public
    python recipes/push.py runs/photo me/photo --images        # a run of one photograph: the photograph may be shared
    python recipes/sindiffusion.py sample hf://me/photo --size 128x384

Pushed is the latest checkpoint (settings, weights, prior, and their sums, without the optimizer's state), the picture of
samples, the curve, and a card, README.md: never the files that were learned from, nor a path of this machine. But samples of a
run of one photograph show it anyway, and most such runs keep it within their prior: these are pushed with --images only.
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

from recipes.command import cli
from recipes.command.pasteable import pasteable, program
from restore.own_types import types_in
from restore.sharing.address import parsed


@dataclass(frozen=True)
class Push:
    """Pushes a run to the hub."""

    run: Positional[Path]
    """Folder of the run, such as runs/photo."""
    name: Positional[str]
    """user/run on the hub: made if it is not there, else a newer commit of it."""
    _: KW_ONLY
    public: bool = False
    """Anybody may see it (default: you alone). A repository that is private already stays so."""
    images: bool = False
    """What shows training images may be shared too: a prior that holds them, and pictures of what was restored."""
    types: Path | None = None
    """Python file with your own operator, sampler or network, where the run has one; it is executed, and not pushed."""

    def __post_init__(self) -> None:
        if parsed(self.name).revision is not None:
            raise ValueError(f"{self.name} names a revision, and a push makes a new one: leave out what follows @.")

    def __call__(self) -> None:
        from restore.sharing.upload import push

        address = parsed(self.name)
        pushed = push(self.run, address, types_in(self.types), self.public, self.images)
        seen = "private" if pushed.private else "public"
        print(f"step {pushed.step} is at {pushed.url} ({seen}): {', '.join(pushed.files)}")
        if pushed.card_kept:
            print("its card was left as it is: remove README.md there, and the next push writes it anew")
        print(f"open it with: {pasteable('sample', str(address), recipe='sindiffusion.py')}")


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Push, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
