"""Damaged and hostile checkpoints and images, and a process that opens them all.

python -m tests.damage checkpoints 500 FOLDER      prints a JSON object: outcomes, peak memory, whether code ran
python -m tests.damage images 200 FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from degrade import GaussianBlur
from models import PatchUNetConfig
from recipes import sindiffusion
from recipes.run import open_run, resume
from restore import Crops, ImageError, load_image
from restore.checkpoint import CheckpointError
from restore.memory import used_memory

FILES = ("run.json", "ema.safetensors", "training.safetensors", "prior.safetensors", "SHA256SUMS")


class Evil:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


# Checkpoints: each function damages the checkpoint folder it is given, so that it must be refused.


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


def open_checkpoints(count: int, home: Path) -> dict:
    """Damages a real run `count` times, and opens and resumes it."""
    home.mkdir(parents=True, exist_ok=True)
    photo, mark, copy = home / "photo.png", home / "code-was-run", home / "copy"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 40, 3), dtype=np.uint8)).save(photo)
    recipe = sindiffusion.recipe(photo, degradation=GaussianBlur(3.0))
    recipe = replace(
        recipe,
        data=Crops(size=32, crop=16),
        network=PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), norm="pixel"),
        training=replace(recipe.training, steps=2, warmup=1, save_every=1, preview_every=9),
    )
    recipe.train(home / "run", "cpu")
    shutil.rmtree(home / "run/checkpoints/step-00000002")  # so that there is something to resume
    outcomes = []
    for number in range(count):
        damage = CHECKPOINTS[number % len(CHECKPOINTS)]
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home / "run", copy)
        damage(copy / "checkpoints/step-00000001", random.Random(number), mark)

        def use() -> None:
            open_run(copy, "cpu")
            resume(copy, "cpu")

        outcomes.append([damage.__name__, *outcome(use, (CheckpointError,))])
    return report(outcomes, mark)


# Images: each function gives the bytes of a file, and its suffix.


def picture(rng: random.Random) -> Image.Image:
    return Image.fromarray(np.random.default_rng(rng.randrange(99)).integers(0, 255, (48, 64, 3), dtype=np.uint8))


def encoded(rng: random.Random) -> tuple[bytes, str]:
    import io

    kind, suffix = rng.choice(
        [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("TIFF", "tif"), ("GIF", "gif"), ("BMP", "bmp")]
    )
    file = io.BytesIO()
    picture(rng).save(file, kind)
    return file.getvalue(), suffix


def truncated_image(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    data, suffix = encoded(rng)
    return data[: rng.randrange(int(0.9 * len(data)))], suffix


def flipped_image(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    """Some of these still decode."""
    data, suffix = encoded(rng)
    data = bytearray(data)
    for _ in range(20):
        data[rng.randrange(min(len(data), 400))] ^= 1 << rng.randrange(8)
    return bytes(data), suffix


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def bomb(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    """A few kilobytes that claim gigabytes."""
    side = rng.choice([11_000, 50_000, 2**31 - 1])
    kind = rng.randrange(3)
    if kind == 0:
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = zlib.compress(bytes(1_000_000), 9)
        return png(chunk(b"IHDR", header), chunk(b"IDAT", body)), "png"
    if kind == 1:
        return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack(
            "<HHHHB", 0, 0, 65535, 65535, 0
        ), "gif"
    size = struct.pack("<iiHHIIiiII", min(side, 2**31 - 1), min(side, 2**31 - 1), 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<I", 40) + size, "bmp"


@lru_cache
def zeros(size: int) -> bytes:
    """So many zeros, compressed."""
    return zlib.compress(bytes(size), 9)


def text_bomb(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    """A PNG whose compressed comment grows to 500 MB."""
    comment = b"a\0\0" + zeros(500_000_000)
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(4 * 13))
    return png(chunk(b"IHDR", header), chunk(b"zTXt", comment), chunk(b"IDAT", body)), "png"


def no_image(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    script = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {mark}) (w) file\nshowpage\n".encode()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    files = [
        script,
        svg,
        b"",
        b"hello",
        bytes(1000),
        pickle.dumps(Evil(mark)),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"II*\0",
    ]
    return rng.choice(files), rng.choice(["png", "jpg", "tif"])


def odd_tiff(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    """A TIFF whose tags claim anything."""
    tags = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 3072)]
    tag = rng.choice(tags)[0]
    tags[rng.randrange(len(tags))] = (tag, rng.randrange(13), rng.choice([0, 2**31, 2**32 - 1]), rng.choice([0, 2**32 - 1, 7]))
    entries = b"".join(struct.pack("<HHII", *entry) for entry in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", rng.choice([0, 8])) + bytes(4096), "tif"


def infinite_tiff(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    import io

    file = io.BytesIO()
    values = np.zeros((8, 8), np.float32)
    values[rng.randrange(8), 3] = rng.choice([np.nan, np.inf, -np.inf])
    Image.fromarray(values).save(file, "TIFF")
    return file.getvalue(), "tif"


IMAGES = (truncated_image, flipped_image, bomb, text_bomb, no_image, odd_tiff, infinite_tiff)
MAY_DECODE = {"flipped_image", "odd_tiff", "text_bomb"}
"""What a decoder may make an image of after all."""


def open_images(count: int, home: Path) -> dict:
    home.mkdir(parents=True, exist_ok=True)
    mark = home / "code-was-run"
    outcomes = []
    for number in range(count):
        damage = IMAGES[number % len(IMAGES)]
        data, suffix = damage(random.Random(number), mark)
        path = home / f"{number}.{suffix}"
        path.write_bytes(data)
        outcomes.append([damage.__name__, *outcome(lambda path=path: load_image(path, 250), (ImageError,))])
    for name, make in {
        "fifo": os.mkfifo,
        "link-to-zero": lambda path: path.symlink_to("/dev/zero"),
        "loop": lambda path: path.symlink_to(path),
        "folder": Path.mkdir,
    }.items():
        path = home / f"{name}.png"
        make(path)
        outcomes.append([name, *outcome(lambda path=path: load_image(path, 250), (ImageError,))])
    return report(outcomes, mark)


def outcome(use: Callable[[], object], expected: tuple[type[Exception], ...]) -> tuple[str, str]:
    """("refused", its message) | ("accepted", "") | ("traceback", what it was)."""
    try:
        use()
    except expected as error:
        return ("refused" if "\n" not in str(error) and 20 < len(str(error)) < 700 else "unclear"), str(error)
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "accepted", ""


def report(outcomes: list, mark: Path) -> dict:
    return {"outcomes": outcomes, "peak": used_memory(), "code_was_run": mark.exists()}


if __name__ == "__main__":
    what, count, folder = sys.argv[1:]
    print(json.dumps({"checkpoints": open_checkpoints, "images": open_images}[what](int(count), Path(folder))))
