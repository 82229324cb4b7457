"""Do two commits compute the same? Losses, weights and samples of the fast presets, compared bit for bit.

    python benchmarks/same_numbers.py main~1 main
    python benchmarks/same_numbers.py v0.1 HEAD --steps 50 --only digits

For a change that is meant to move code, not numbers. Each commit is checked out beside the other, trains by its own command
line from the same seed on the same images, and samples or restores.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import hashlib  # isort: skip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[1]
PRESETS = {
    "sindiffusion": ("sindiffusion.py", "rocket", ("sample", "--count", "2")),
    "deblurring": ("deblurring.py", "digits", ("degrade-and-restore", "--severity", "1")),
    "digits": ("simple_diffusion.py", "digits", ("sample", "--count", "10")),
}
"""By name: the recipe, what it learns, and what is made with it."""


@dataclass(frozen=True)
class SameNumbers:
    before: tyro.conf.Positional[str]
    """A commit."""
    after: tyro.conf.Positional[str]
    """Another."""
    steps: int = 200
    """Of each training."""
    only: str | None = None
    """One of the presets (default: all)."""

    def __call__(self) -> None:
        print(describe())
        different = 0
        with checked_out(self.before, self.after) as homes:
            for name in PRESETS if self.only is None else (self.only,):
                first, second = (results(home, name, self.steps) for home in homes)
                for what in first:
                    same = first[what] == second[what]
                    different += not same
                    print(f"{name:13} {what:8} {'the same' if same else 'DIFFERENT'}")
        sys.exit(f"{different} of these differ" if different else 0)


@contextmanager
def checked_out(before: str, after: str) -> Iterator[list[Path]]:
    """Folders with the files of two commits, until the end."""
    with tempfile.TemporaryDirectory() as temporary:
        homes = [Path(temporary) / side for side in ("a", "b")]
        for commit, home in zip((before, after), homes, strict=True):
            home.mkdir()
            archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
            subprocess.run(["tar", "x", "-C", str(home)], check=True, input=archive)
        yield homes


def results(home: Path, name: str, steps: int) -> dict[str, object]:
    """What the commit in `home` makes of a preset: every loss, the sums of the tensors, the pixels."""
    recipe, images, make = PRESETS[name]
    run, out = home / "runs" / name, home / "runs" / f"{name}-made"
    source = str(photograph()) if images == "rocket" else images
    flags = f"--training.steps {steps} --training.log-every 1 --training.save-every {steps} --training.preview-every {steps}"
    command = [sys.executable, f"recipes/{recipe}"]
    called([*command, "train", source, "--out", str(run), *flags.split()], home)
    target = out if make[0] == "sample" else out / "made.png"
    renamed = (home / "recipes/command/restoring.py").exists()  # before, `restore` degraded what it restored
    called(
        [*command, make[0] if renamed else make[0].removeprefix("degrade-and-"), str(run), *make[1:], "--out", str(target)],
        home,
    )
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "losses": [(line["step"], line["loss"], line["gradient_norm"]) for line in lines],
        "weights": [sums(path) for path in sorted((run / "checkpoints").glob("step-*/*.safetensors"))],
        "pixels": {path.name: hashlib.sha256(Image.open(path).tobytes()).hexdigest() for path in sorted(out.glob("*.png"))},
    }


def sums(path: Path) -> list[str]:
    """Of each tensor in the file, whatever it is called."""
    return sorted(hashlib.sha256(tensor.tobytes()).hexdigest() for tensor in load_file(path).values())


def photograph() -> Path:
    from importlib.util import find_spec

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit('the photograph comes with scikit-image: python -m pip install -c constraints.txt -e ".[demo]"')
    return Path(spec.origin).parent / "data" / "rocket.jpg"


def called(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"in {home.name}: {' '.join(command[1:])} ends in\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    tyro.cli(SameNumbers, description=__doc__)()
