"""Text to image on captioned digits: are digits, colours and places those of the caption, also of compositions held out?

    python recipes/text_to_image.py train captioned --out runs/captioned --minutes 15
    python benchmarks/text_to_image.py runs/captioned

Captions of the test set, seen compositions and held-out ones; an image is made of each. Digits are read by a classifier that
was trained on single scans (the set `digits`), colours and places are measured; the test images themselves are the first row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from captioned import reader, row
from machine import describe  # first: finds the project's packages

from restore import load_image, open_run, save_image
from restore.data import bundled
from restore.data.images import grid, image_files


@dataclass(frozen=True)
class Bench:
    run: tyro.conf.Positional[Path]
    """A run of recipes/text_to_image.py on the set `captioned`."""
    count: int = 200
    """Captions of each kind."""
    guidance: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0, 8.0)
    """Weights of the caption."""
    steps: int = 25
    """Of the walk."""
    out: Path = Path("runs/text-to-image")
    """Folder for the pictures."""

    def __call__(self) -> None:
        run = open_run(self.run, "cpu").using(steps=self.steps)
        features = reader()
        assert features.classify is not None
        print(f"{describe()}\ndigits are read by {features.name}\n\n| | digit | colour | place |\n| --- | --- | --- | --- |")
        for kind in ("seen", "unseen"):
            files = image_files(bundled.written("captioned") / "test" / kind)[: self.count]
            captions = [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]
            print(row(f"{kind}: the test images", [load_image(file) for file in files], captions, features.classify))
            for weight in self.guidance:
                made = run.using(guidance=weight).generate(count=len(files), condition=captions, batch=50, progress=False)
                print(row(f"{kind}: guidance {weight:g}", list(made), captions, features.classify), flush=True)
                save_image(grid(list(made[:64]), 8, at_least=64), self.out / f"{kind}-{weight:g}.png")
            (self.out / f"{kind}.txt").write_text("\n".join(captions[:64]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(Bench, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))()
