"""Run folders from a stranger: real runs in which any file or name was changed, used as a user would.

    python -m tests.crafted_runs 200 FOLDER      prints a JSON object: outcomes, what changed outside, peak memory

Around them lies a tree of a user's files, watched. Each use ends well, or in one clear line.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import load_file, save_file

from degrade.files import discard, subfolder
from models import PatchUNetConfig
from recipes.command import cli
from recipes.command.outputs import check_outputs
from recipes.command.source import results
from recipes.evaluate import Restoration
from tests.damage import main, report
from tests.damaged_checkpoints import CHECKPOINTS, leaves, sign, trained

LIMIT = 20
"""Seconds a use may take."""
STEP = "checkpoints/step-00000001"
WRITTEN = (
    *("samples", "previews", "evaluation", "checkpoints", "tensorboard", "wandb", ".lock", "metrics.jsonl", "curve.png"),
    *("samples.png", "restorations.png", "restored.png", "samples/32x40-seed-0.png", "previews/step-00000002.png"),
    *("evaluation/restoration.png", "evaluation/restoration.md", STEP, "checkpoints/step-00000002"),
)
"""What is written to in a run's folder."""
READ = tuple(f"{STEP}/{name}" for name in ("run.json", "ema.safetensors", "training.safetensors", "SHA256SUMS"))
NUMBERS = (-1, 0, 0.5, 1e-300, 1e300, 2**31, 10**9, 10**18, 10**400, True, None, "7", [], {}, [10**9] * 20)


def plant(path: Path, rng: random.Random, outside: Path) -> None:
    """A link, a second name of a user's file, a pipe or a folder at `path`, in place of what is there."""
    if any(os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()) for folder in path.parents[:2]):
        return  # behind what was planted before
    path.parent.mkdir(parents=True, exist_ok=True)
    discard(path)
    rng.choice(
        [
            lambda: path.symlink_to(outside / "precious.txt"),
            lambda: path.symlink_to(outside / "photos"),
            lambda: path.symlink_to(outside / "not-there"),
            lambda: path.symlink_to(path),
            lambda: path.symlink_to("/dev/zero"),
            lambda: os.link(outside / "precious.txt", path),
            lambda: os.mkfifo(path),
            lambda: (path / "inner").mkdir(parents=True),
        ]
    )()


def planted(run: Path, rng: random.Random, outside: Path) -> None:
    """Up to three of these where a file or folder is written to or read."""
    for _ in range(rng.randrange(1, 4)):
        plant(run / rng.choice([*WRITTEN, *READ]), rng, outside)


def guessed(run: Path, rng: random.Random, outside: Path) -> None:
    """The same under all names that files could have while they are made."""
    for name in WRITTEN:
        path = run / name
        for guess in (f".{path.name}.part", f".{path.name}.0123456789abcdef.part", f"{path.name}.part", f"{path.name}.tmp"):
            plant(path.with_name(guess), rng, outside)


def renamed(run: Path, rng: random.Random, outside: Path) -> None:
    """A checkpoint under another name, and others beside it."""
    names = [
        "step-99999999999999",
        "step--1",
        "step-\u0663",
        "step-1",
        "step-00000001 ",
        "step-1e9",
        "step-" + "9" * 200,
        "step-",
    ]
    (run / STEP).rename(run / "checkpoints" / rng.choice(names))
    for name in (rng.choice(names), ".step-00000001.part", "a\nb", "\x1b[2J", "x" * 255):
        if rng.random() < 0.5:
            (run / "checkpoints" / name).mkdir(exist_ok=True)


def metrics(run: Path, rng: random.Random, outside: Path) -> None:
    """Lines of anything."""
    lines = [
        '{"step": 1}',
        '{"step": 10}',
        "[]",
        "[" * 50_000,
        '{"step": 1e999}',
        '{"step": 0, "loss": "x"}',
        "\0" * 10**6,
        "7",
    ]
    (run / "metrics.jsonl").write_text("\n".join(rng.choices(lines, k=5)))


def numbers(run: Path, rng: random.Random, outside: Path) -> None:
    """Up to three entries of the specification replaced, signed."""
    path = run / STEP / "run.json"
    data = json.loads(path.read_text())
    for _ in range(rng.randrange(1, 4)):
        places = list(leaves({name: data[name] for name in ("recipe", "prior", "size", "classes", "step")}))
        *way, last = rng.choice(places)
        holder = data
        for key in way:
            holder = holder[key]
        holder[last] = rng.choice(NUMBERS)
    path.write_text(json.dumps(data))
    sign(run / STEP)


def paths(run: Path, rng: random.Random, outside: Path) -> None:
    """Images from elsewhere, signed."""
    path = run / STEP / "run.json"
    data = json.loads(path.read_text())
    odd = ["/dev/zero", "/dev/stdin", "\0", "a\nb\x1b[2J", "x" * 5000, "", "..", str(outside), str(outside / "precious.txt")]
    data["recipe"]["images"] = rng.choice(odd)
    path.write_text(json.dumps(data))
    sign(run / STEP)


def tensors(run: Path, rng: random.Random, outside: Path) -> None:
    """A prior, or weights, of other shapes, dtypes and values, signed."""
    path = run / STEP / rng.choice(["ema.safetensors", "training.safetensors", "prior.safetensors", "prior.safetensors"])
    found = load_file(path)
    name = rng.choice(sorted(found))
    x = found[name]
    found[name] = rng.choice(
        [
            x[None],
            x.flatten(),
            x[:0],
            x.double(),
            x.half(),
            x.long(),
            x > 0,
            x * float("nan"),
            x + float("inf"),
            x.repeat(2, *[1] * (x.ndim - 1)),
        ]
    ).contiguous()
    save_file(found, path)
    sign(run / STEP)


@lru_cache
def empty_tensors(count: int, prefix: str = "") -> bytes:
    """A header of so many."""
    name = json.dumps(prefix)[:-1]
    return (
        "{" + ",".join(f'{name}{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(count)) + "}"
    ).encode()


def many_names(run: Path, rng: random.Random, outside: Path) -> None:
    """A header of up to a million and a half empty tensors, or of one whose name takes megabytes, signed."""
    path = run / STEP / rng.choice(["ema.safetensors", "training.safetensors", "prior.safetensors"])
    header = rng.choice([empty_tensors(1_500_000), empty_tensors(50_000), empty_tensors(1, "\x1b\n" * 10**6)])
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    sign(run / STEP)


def checkpoint(run: Path, rng: random.Random, outside: Path) -> None:
    """What tests/damaged_checkpoints.py does to one."""
    rng.choice(CHECKPOINTS)(run / STEP, rng, outside / "code-was-run")


CRAFTS: tuple[Callable[[Path, random.Random, Path], None], ...] = (
    *(planted, numbers, guessed, tensors, planted, checkpoint, planted, renamed),
    *(planted, numbers, guessed, metrics, planted, paths, planted, many_names),
)


def watched(home: Path) -> dict[str, list]:
    """Every file, folder and link below `home`: what it is, its size, time and content."""
    seen = {}
    for path in sorted([home, *home.rglob("*")]):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else None
        seen[str(path)] = [status.st_mode, status.st_size, status.st_mtime_ns, content]
    return seen


class Late(BaseException):
    """A use that took too long."""


@contextmanager
def limited() -> Iterator[None]:
    """An alarm after `LIMIT` seconds."""

    def ring(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def said(use: Callable[[], object]) -> tuple[str, str]:
    """("done", "") | ("refused", the line) | ("unclear", what was said) | ("traceback" or "late", what it was)."""
    try:
        with limited():
            cli.run(lambda _: use())
    except SystemExit as end:
        line = str(end.code)
        return ("refused" if line.isprintable() and 20 < len(line) < 900 else "unclear"), line[:2000]
    except Late:
        return "late", ""
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "done", ""


def uses(run: Path) -> dict[str, Callable[[], object]]:
    """What a user does with a run; of an evaluation, what it writes."""
    evaluated = SimpleNamespace(identity="a run")

    def evaluate() -> None:
        out = check_outputs(None, subfolder(results(run), "evaluation"), ["restoration"])
        Restoration(run).finish(evaluated, out, ["| x |"], SimpleNamespace(name="none"), [torch.zeros(3, 8, 8)], 1, "")

    return {
        "sample": cli.Sample(run, count=1, seed=0),
        "restore": cli.DegradeAndRestore(run),
        "evaluate": evaluate,
        "resume": cli.Resume(run),
    }


def use_runs(count: int, home: Path) -> dict:
    """Crafts `count` runs, and uses each."""
    outside, copy = home / "outside", home / "run"
    (outside / "photos").mkdir(parents=True)
    (outside / "precious.txt").write_text('{"step": 1, "loss": 1.0}\nprecious\n')
    sys.modules["matplotlib.figure"] = None  # type: ignore[assignment]  # a second for each curve
    run = trained(outside, PatchUNetConfig(channels=4, multipliers=(1,), kernels=(1,), patch=2, norm="pixel"))
    for name in ("a.png", "run.json"):
        shutil.copy(outside / "photo.png", outside / "photos" / name)
    os.chdir(outside)
    if sys.platform == "linux":  # so that what takes more memory does not take the machine's
        lines = Path("/proc/self/status").read_text().splitlines()
        used = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + 2**30, resource.RLIM_INFINITY))
    before, outcomes, changes, slowest = watched(outside), [], [], 0.0
    for number in range(count):
        craft, rng = CRAFTS[number % len(CRAFTS)], random.Random(number)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        craft(copy, rng, outside)
        for name, use in uses(copy).items():
            if craft not in (planted, guessed) and (name == "evaluate" or (name == "restore" and outcomes[-1][1] == "refused")):
                continue  # nothing that it writes to was touched; or refused for what "sample" was
            began = time.perf_counter()
            outcomes.append([f"{number} {craft.__name__}, {name}", *said(use)])
            slowest = max(slowest, time.perf_counter() - began)
        after = watched(outside)
        changes += [
            f"{number} {craft.__name__}: {path}" for path in before.keys() | after if before.get(path) != after.get(path)
        ]
        before = after
    return report(outcomes, outside / "code-was-run") | {"changes": changes, "slowest": slowest}


if __name__ == "__main__":
    main(use_runs)
