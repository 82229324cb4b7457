"""Everything that is to be known of a GPU, in one command of at most 9 minutes: what has to be right, then what is measured.

    python benchmarks/gpu.py --published elsewhere/SinDiffusion --photographs places_1.jpg --peers singan
    python benchmarks/gpu.py --rehearse          # all of it at tiny sizes, on a CPU too: does it run?

Each row has a process of its own and is written to OUT/results.json when it is done. The same command goes on where it stopped:
rows that are there are shown, not run again (`--again`); those that ended in an error are, and those that the time did not
suffice for. Rows that fail say why, and the others go on. `--only` names rows. docs/guides/gpu.md says what each is.
"""

from __future__ import annotations

from machine import describe  # first: finds the project's packages

import json  # isort: skip
import math
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from gpu_checks import CHECKS, Figures, Scene
from gpu_figures import ROWS
from processes import alone
from published import why_no_checkout

from degrade.files import atomic_write
from restore import load_image
from restore.machine.processes import usable_device

EVERY: dict[str, Callable[[Scene], Figures]] = {**CHECKS, **ROWS}
EXPECTED = {"laws": 40, "training": 75, "sampling": 45, "megapixel": 60, "minute": 95, "canvas": 90, "suite": 150}
"""Seconds that a row takes, about; others 20. One that takes three times as long is ended, for the sake of the others."""

GRACE = 10.0
"""Seconds after its time in which a row says itself what it got to."""


@dataclass(frozen=True)
class Bench:
    published: Path | None = None
    """A checkout of github.com/WeilunWang/SinDiffusion."""
    photographs: tuple[Path, ...] = ()
    """What to learn (default: one that comes with scikit-image)."""
    peers: Path | None = None
    """A folder with SinGAN's sample of PHOTO.jpg as PHOTO.png, to judge by."""
    minutes: float = 9.0
    """After so many no row is begun that would go beyond them, and one that does is ended."""
    only: tuple[str, ...] = ()
    """Rows (default: all)."""
    again: bool = False
    """Also those that are done."""
    rehearse: bool = False
    """At tiny sizes, in this process, on a CPU or, as a first look, on a GPU."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    out: Path = Path("runs/gpu")
    """Folder for results.json, runs and pictures; of a rehearsal in its subfolder rehearsal/."""

    def __call__(self) -> None:
        try:
            self.check()
            path = self.home / "results.json"
            results = {} if self.rehearse else kept(path)
        except ValueError as error:
            sys.exit(f"error: {error}")
        until = time.time() + 60 * self.minutes
        print(f"{describe(self.device)}\n\n| row | s | |\n| --- | --- | --- |", flush=True)
        waiting = []
        for name in self.only or EVERY:
            if self.again or "error" in results.get(name, {"error": "not run"}):
                if time.time() + EXPECTED.get(name, 20) > until and not self.rehearse:
                    waiting.append(name)
                    continue
                found = self.row(name, until)
                if "error" in found and "error" not in results.get(name, found):
                    print(f"{told(name, found)} what was measured before stays:")
                else:
                    results[name] = found
                self.home.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as part:
                    part.write_text(json.dumps(results, indent=1), encoding="utf-8")
            print(told(name, results[name]), flush=True)
        failed = [name for name, found in results.items() if not found["ok"]]
        print(f"\n{path}: {len(results)} rows" + f"; not as wanted: {', '.join(failed)}" * bool(failed))
        if waiting:
            print(f"left for the next call of the same command: {', '.join(waiting)}")
        if failed and (self.rehearse or set(failed) & set(CHECKS)):
            sys.exit(1)

    @property
    def home(self) -> Path:
        """Where results are: those of a rehearsal are no figures, and have a place of their own."""
        return self.out / "rehearsal" if self.rehearse else self.out

    def check(self) -> None:
        """Raises ValueError, in one line, for what would be found wrong after minutes."""
        unknown = [name for name in self.only if name not in EVERY]
        if unknown:
            raise ValueError(f"there is no row {unknown[0]!r}: these are {', '.join(EVERY)}.")
        if torch.device(usable_device(self.device)).type == "cpu" and not self.rehearse:
            raise ValueError("there is no GPU here: `--rehearse` runs all of it at tiny sizes.")
        if not self.minutes > 0:
            raise ValueError(f"minutes is more than 0, got {self.minutes:g}.")
        if self.out.is_file():
            raise ValueError(f"{self.out} is a file: --out names a folder.")
        if self.published and (refusal := why_no_checkout(self.published)):
            raise ValueError(refusal)
        names = [photograph.stem for photograph in self.photographs]
        if len(set(names)) < len(names):
            raise ValueError("two photographs have one name: rows are told by it, so rename one.")
        for image in (*self.photographs, *(self.peers / f"{name}.png" for name in names if self.peers)):
            load_image(image, 64)

    def row(self, name: str, until: float) -> dict[str, Any]:
        """What is found, with `ok`: False for a check that fails, a figure that is not as wanted, and an error."""
        print(f"{name} ...", file=sys.stderr, flush=True)
        until = math.inf if self.rehearse else min(until, time.time() + 3 * EXPECTED.get(name, 20))
        scene = Scene(self.device, self.photographs, self.peers, self.published, self.rehearse, self.home, until)
        before = time.perf_counter()
        try:
            here = self.rehearse or name == "training"  # whose rows have processes of their own
            found = tried(name, scene) if here else alone(name, tried, name, scene, limit=scene.left and scene.left + GRACE)
        except SystemExit as gone:
            found = {"error": str(gone).removeprefix("error: "), "ok": False}
        if self.rehearse and "error" not in found and name in ROWS:
            found["ok"] = True  # tiny figures are none
        return {"ok": True, **found, "s in all": time.perf_counter() - before, "machine": describe(self.device)}


def kept(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a call before. Raises ValueError, in one line, for a file that holds none."""
    if not path.exists():
        return {}
    try:
        rows = json.loads(path.read_text("utf-8"))
        if all({"ok", "s in all"} <= set(row) for row in rows.values()):
            return rows
    except (ValueError, AttributeError, TypeError):
        pass
    raise ValueError(f"{path} holds no rows of this benchmark: move it away, or name another folder with --out.")


def tried(name: str, scene: Scene) -> Figures:
    try:
        return EVERY[name](scene)
    except Exception as error:  # the other rows go on
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {str(error)[:300]}", "ok": False}


def told(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    hidden = ("ok", "s in all", "machine")
    shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in found.items() if key not in hidden}
    cells = "; ".join(f"{key} {value}" for key, value in shown.items())
    return f"| {name} | {found['s in all']:.0f} | {cells}{'' if found['ok'] else ': NOT AS WANTED'} |"


if __name__ == "__main__":
    try:
        tyro.cli(Bench, description=__doc__)()
    except KeyboardInterrupt:
        sys.exit("interrupted: rows that are done are kept, and the same command goes on.")
