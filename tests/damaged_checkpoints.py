"""Damaged and hostile checkpoints: each function damages the checkpoint folder it is given, so that it must be refused."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from degrade import GaussianBlur
from models import PatchUNetConfig
from recipes import sindiffusion
from restore import Crops
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError
from restore.training.session import resume, train
from tests.damage import Evil, main, outcome, report

FILES = ("run.json", "ema.safetensors", "training.safetensors", "prior.safetensors", "SHA256SUMS")


def sign(folder: Path) -> None:
    """New sums, as a stranger would write them."""
    lines = []
    for name in FILES[:-1]:
        path = folder / name
        if path.is_file() and path.stat().st_size < 2**30:
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
        elif os.path.lexists(path):
            lines.append(f"{'0' * 64}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))


def truncated(folder: Path, rng: random.Random, mark: Path) -> None:
    path = folder / rng.choice(FILES)
    os.truncate(path, rng.randrange(path.stat().st_size))


def flipped(folder: Path, rng: random.Random, mark: Path) -> None:
    path = folder / rng.choice(FILES)
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def missing(folder: Path, rng: random.Random, mark: Path) -> None:
    (folder / rng.choice(FILES[1:])).unlink()


def not_a_file(folder: Path, rng: random.Random, mark: Path) -> None:
    path = folder / rng.choice(FILES[:-1])
    path.unlink()
    rng.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to(path)])()


def cut_header(folder: Path, rng: random.Random, mark: Path) -> None:
    """A safetensors header with a wrong length, signed."""
    path = folder / rng.choice(FILES[1:4])
    data = path.read_bytes()
    path.write_bytes(struct.pack("<Q", rng.choice([0, 7, 2**31, 2**63, 2**64 - 1, len(data)])) + data[8:])
    sign(folder)


def other_shapes(folder: Path, rng: random.Random, mark: Path) -> None:
    """One tensor of another shape, dtype or name, signed."""
    from safetensors.torch import load_file, save_file

    path = folder / rng.choice(FILES[1:3])
    tensors = load_file(path)
    name = rng.choice(sorted(tensors))
    wrong = rng.randrange(4)
    if wrong == 0:
        tensors[name] = torch.zeros(3, 5, 7, 2)
    elif wrong == 1:
        tensors[name] = tensors[name].double()
    elif wrong == 2:
        tensors["../../" + name] = tensors.pop(name)
    else:
        tensors["extra"] = torch.zeros(1)
    save_file(tensors, path)
    sign(folder)


def huge(folder: Path, rng: random.Random, mark: Path) -> None:
    """Declared sizes of up to terabytes, in files that are mostly holes, signed."""
    path = folder / rng.choice(FILES[1:4])
    side = rng.choice([2**18, 2**20, 2**31])
    header = json.dumps({"w": {"dtype": "F32", "shape": [side, side], "data_offsets": [0, 4 * side * side]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, min(2**42, 8 + len(header) + 4 * side * side))
    sign(folder)


def huge_network(folder: Path, rng: random.Random, mark: Path) -> None:
    """A network of terabytes in run.json, with weights (holes) of just its shapes, signed."""
    run = json.loads((folder / "run.json").read_text())
    config = PatchUNetConfig(
        channels=8192, multipliers=(1, 4), kernels=(3, 3), groups=rng.choice([1, 32, 64]), image_channels=3, norm="pixel"
    )
    entry = run["recipe"]["network"]
    entry |= {"channels": config.channels, "multipliers": list(config.multipliers), "groups": config.groups, "patch": 1}
    (folder / "run.json").write_text(json.dumps(run))
    with torch.device("meta"):
        shapes = {name: tuple(p.shape) for name, p in config.build().named_parameters()}
    place, header = 0, {}
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    path = folder / "ema.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(path, 8 + len(text) + place)
    sign(folder)


def pickled(folder: Path, rng: random.Random, mark: Path) -> None:
    """A pickle that runs code, under a trusted name, signed."""
    path = folder / rng.choice(FILES[:-1])
    if rng.random() < 0.5:
        path.write_bytes(pickle.dumps({"w": Evil(mark)}))
    else:
        torch.save({"w": Evil(mark)}, path)
    sign(folder)


def outside(folder: Path, rng: random.Random, mark: Path) -> None:
    """Names that lead out of the folder."""
    sums = folder / "SHA256SUMS"
    name = rng.choice(["../../../etc/passwd", "/etc/passwd", "..", "ema.safetensors/../x", "\x00", "run.json\x00.txt"])
    sums.write_text(sums.read_text() + f"{'0' * 64}  {name}\n")


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from leaves(inside, (*path, key))
    elif isinstance(value, list) and value:
        for index, inside in enumerate(value):
            yield from leaves(inside, (*path, index))
    else:
        yield path


def odd_setting(folder: Path, rng: random.Random, mark: Path) -> None:
    """One entry of the specification replaced by what it cannot be, signed."""
    run = json.loads((folder / "run.json").read_text())
    specified = {name: run[name] for name in ("recipe", "prior", "size")}
    path = rng.choice(list(leaves(specified)))
    holder = specified
    for key in path[:-1]:
        holder = holder[key]
    odd = [{"type": "Popen", "args": "touch x"}, {"tensor": "../../../etc/passwd"}, [[[[]]]], {"type": ["a"]}, {}]
    if not isinstance(holder[path[-1]], str):
        odd += ["1" * 5000, float("nan"), float("inf")]
    holder[path[-1]] = rng.choice(odd)
    (folder / "run.json").write_text(json.dumps(run | specified))
    sign(folder)


def huge_setting(folder: Path, rng: random.Random, mark: Path) -> None:
    """A number of the specification that would take all memory, signed."""
    run = json.loads((folder / "run.json").read_text())
    network, big = run["recipe"]["network"], rng.choice([10**7, 10**9, 10**18])
    where = rng.randrange(6)
    if where == 0:
        network[rng.choice(["channels", "blocks", "patch", "image_channels", "groups"])] = big
    elif where == 1:
        network["multipliers"], network["kernels"] = [1] * 10_000, [3] * 10_000
    elif where == 2:
        run["size"] = [3, big, big]
    elif where == 3:
        run["recipe"]["degradation"] = {"type": "GaussianNoise", "schedule": {"type": "LinearBeta", "steps": big}}
    elif where == 4:
        run["recipe"]["data"]["size"] = big
    else:
        run["recipe"]["training"]["batch"] = -big
    (folder / "run.json").write_text(json.dumps(run))
    sign(folder)


def odd_json(folder: Path, rng: random.Random, mark: Path) -> None:
    """run.json that is deep, large, of another shape, or none, signed."""
    text = rng.choice(
        [
            "[" * 100_000,
            '{"a":' * 50_000 + "1" + "}" * 50_000,
            '{"format": 2, "step": 1, "recipe": ' + "[" * 500 + "]" * 500 + ', "prior": 1, "size": 1}',
            '{"format": 2, "step": ' + "9" * 5000 + "}",
            '{"format": 2, "step": -1}',
            '{"format": 2, "step": true}',
            '{"format": 2, "step": 1}',
            '{"format": 3, "step": 1}',
            "null",
            "",
            "\xff\xfe",
            " " * 2_000_000,
        ]
    )
    (folder / "run.json").write_bytes(text.encode("latin-1"))
    sign(folder)


CHECKPOINTS: tuple[Callable[[Path, random.Random, Path], None], ...] = (
    *(truncated, flipped, missing, not_a_file, cut_header, other_shapes, huge),
    *(huge_network, pickled, outside, odd_setting, huge_setting, odd_json),
)


NETWORK = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel")


def trained(home: Path, network: PatchUNetConfig = NETWORK) -> Path:
    """A real run of a photograph in `home`, after the first of its two steps."""
    photo = home / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 40, 3), dtype=np.uint8)).save(photo)
    recipe = sindiffusion.recipe(photo, degradation=GaussianBlur(3.0))
    recipe = replace(
        recipe,
        data=Crops(size=32, crop=16),
        network=network,
        training=replace(recipe.training, steps=2, warmup=1, save_every=1, preview_every=9),
        sampling=replace(recipe.sampling, steps=2),
    )
    train(recipe, home / "run", "cpu")
    shutil.rmtree(home / "run/checkpoints/step-00000002")  # so that there is something to resume
    return home / "run"


def open_checkpoints(count: int, home: Path) -> dict:
    """Damages a real run `count` times, and opens and resumes it."""
    home.mkdir(parents=True, exist_ok=True)
    mark, copy = home / "code-was-run", home / "copy"
    run = trained(home)
    outcomes = []
    for number in range(count):
        damage = CHECKPOINTS[number % len(CHECKPOINTS)]
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        damage(copy / "checkpoints/step-00000001", random.Random(number), mark)

        def use() -> None:
            open_run(copy, "cpu")
            resume(copy, "cpu")

        outcomes.append([damage.__name__, *outcome(use, (CheckpointError,))])
    return report(outcomes, mark)


if __name__ == "__main__":
    main(open_checkpoints)
