"""Damaged and hostile images: each function gives the bytes of a file, and its suffix."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from restore import ImageError, load_image
from tests.damage import Evil, main, outcome, report
from tests.profiles import P3, press, profile

pillow_heif.register_heif_opener()


KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "TIFF": "tif", "GIF": "gif", "BMP": "bmp", "HEIF": "heic", "AVIF": "avif"}


def picture(rng: random.Random) -> Image.Image:
    return Image.fromarray(np.random.default_rng(rng.randrange(99)).integers(0, 255, (48, 64, 3), dtype=np.uint8))


def encoded(rng: random.Random) -> tuple[bytes, str]:
    kind, suffix = rng.choice([*KINDS.items()])
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
    return zlib.compress(bytes(size), 1)


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
    file = io.BytesIO()
    values = np.zeros((8, 8), np.float32)
    values[rng.randrange(8), 3] = rng.choice([np.nan, np.inf, -np.inf])
    Image.fromarray(values).save(file, "TIFF")
    return file.getvalue(), "tif"


def odd_profile(rng: random.Random, mark: Path) -> tuple[bytes, str]:
    """A picture whose colour profile is damaged."""
    data = bytearray(rng.choice([profile(P3), profile(gamma=1.8, grey=True), press()]))
    for _ in range(rng.choice([1, 30])):
        data[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
    kind, mode = rng.choice([("PNG", "RGB"), ("PNG", "LA"), ("TIFF", "CMYK"), ("JPEG", "L"), ("JPEG", "CMYK")])
    file = io.BytesIO()
    picture(rng).convert(mode).save(file, kind, icc_profile=bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]))
    return file.getvalue(), kind.lower()


IMAGES = (truncated_image, flipped_image, bomb, text_bomb, no_image, odd_tiff, infinite_tiff, odd_profile)
MAY_DECODE = {"flipped_image", "odd_tiff", "text_bomb", "odd_profile"}
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


if __name__ == "__main__":
    main(open_images)
