"""A page in the browser for all of this: new images, inpainting, outpainting, strokes, restoring, and trainings as they go.

    python recipes/studio.py                                 # begins with a photograph that comes with scikit-image
    python recipes/studio.py photo.jpg
    python recipes/studio.py runs/photo --port 8000          # a run, whose training can be followed, stopped and resumed

It answers on this machine only, and asks nothing of any other. Results are the PNGs of the command that is shown below them.
Needs the extra `studio`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # this project's packages come before any other of the same name
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import recipes.command.interrupt  # noqa: F401

import tyro
from tyro.conf import Positional

from recipes.command import cli
from recipes.command.limits import check_options
from recipes.command.outputs import check_folder
from recipes.command.pasteable import program


@dataclass(frozen=True)
class Studio:
    """Serves the pages until Ctrl-C."""

    source: Positional[Path | None] = None
    """A photograph, or the folder of a run, to begin with (default: a photograph of scikit-image, if that is installed)."""
    host: str = "127.0.0.1"
    """Address to answer on. Whoever reaches another than this machine's own can read the pictures, and start work here."""
    port: int = 7860
    """Of the address."""
    out: Path = Path("runs/studio")
    """Folder for what is uploaded, painted and made."""
    device: str | None = None
    """Where a run is used, such as cpu or cuda:1 (default: a GPU if available)."""

    def __post_init__(self) -> None:
        check_options(self, port=(1, 65_535))

    def __call__(self) -> None:
        check_folder(self.out)
        try:
            from recipes.command.studio.server import serve
        except ModuleNotFoundError as error:
            if error.name != "gradio":
                raise
            raise ValueError('gradio is not installed: python -m pip install -c constraints.txt -e ".[studio]"') from None
        serve(self.source, self.host, self.port, self.out, self.device)


def main(args: Sequence[str]) -> None:
    """The command line of this file."""
    tyro.cli(Studio, args=args, prog=program(__file__), description=__doc__)()


if __name__ == "__main__":
    cli.run(main)
