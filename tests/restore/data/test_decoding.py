"""Images are reduced while they are decoded: bitwise as whole ones would be, within bounds of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from restore import Folder, ImageError, load_image
from restore.data.decoding import image_size

ROOT = Path(__file__).resolve().parents[3]
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (61, 83, 3), dtype=np.uint8)


def at_once(path, shape) -> torch.Tensor:
    """What is made of the whole image."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    x = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous().float().div_(127.5).sub_(1)
    smaller = shape[0] < x.shape[1]
    y = torch.nn.functional.interpolate(x[None], shape, mode="bicubic", antialias=smaller, align_corners=False)
    return y[0].clamp(-1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_orientations(kind, orientation, tmp_path, monkeypatch):
    """In bands of a few rows, or of columns where the image lies on its side."""
    monkeypatch.setattr("restore.data.decoding.BAND", 500)
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"x.{kind}"
    Image.fromarray(RGB).save(path, exif=exif)
    shape = (83, 61) if orientation >= 5 else (61, 83)
    assert image_size(path) == shape
    assert torch.equal(load_image(path), at_once(path, shape))
    for size in (30, 82):
        scale = size / 83
        assert torch.equal(load_image(path, size), at_once(path, tuple(round(scale * side) for side in shape)))


@pytest.mark.parametrize(("size", "reduce"), [(16, 0), (16, 40), (61, 0), (100, 0), (64, 90)])
def test_a_folder_reads_the_same(size, reduce, tmp_path, monkeypatch):
    """Reduced, as it is, enlarged; with transparency too."""
    monkeypatch.setattr("restore.data.decoding.BAND", 500)
    for name, picture in {"rgb": RGB, "rgba": np.dstack([RGB, RGB[..., :1]])}.items():
        path = tmp_path / f"{name}.png"
        Image.fromarray(picture).save(path)
        x = Folder(size, reduce).read(path)
        assert min(x.shape[1:]) == min(max(size, reduce), max(size, 61)) and torch.equal(x, at_once(path, x.shape[1:]))


def test_sixteen_bits_in_bands(tmp_path, monkeypatch):
    """White is found in all bands alike: a value above 16 bits in the last one."""
    values = RNG.integers(0, 65535, (40, 50)).astype(np.int32)
    values[-1, -1] = 2**20
    Image.fromarray(values).save(tmp_path / "x.tif")
    whole = load_image(tmp_path / "x.tif", 20)
    monkeypatch.setattr("restore.data.decoding.BAND", 100)
    assert torch.equal(load_image(tmp_path / "x.tif", 20), whole) and whole.max() < -0.9


LOAD = """
import sys
from restore.data.images import load_image
from restore.machine.memory import used_memory
load_image(sys.argv[1], 256)
load_image(sys.argv[1], lambda h, w: (h // 99, w // 99), 1)
print(used_memory())
"""


def test_a_small_file_of_a_hundred_million_pixels(tmp_path):
    """On its side, at that: less than 1 GiB at the peak, torch included, by either way to name a size."""
    path, exif = tmp_path / "x.png", Image.Exif()
    exif[274] = 6
    Image.new("RGB", (9999, 9999), "red").save(path, exif=exif)
    line = [sys.executable, "-c", LOAD, str(path)]
    result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert path.stat().st_size < 500_000 and int(result.stdout) < 2**30


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {}), ("JPEG", {"progressive": True}), ("TIFF", {})])
def test_what_takes_too_much_is_refused(kind, options, tmp_path, monkeypatch):
    """Before it is decoded: by what its format takes, and by what is made of it."""
    path = tmp_path / "x"
    Image.fromarray(RGB).save(path, kind, **options)
    decoded = {"PNG": 4, "WEBP": 16, "JPEG": 12, "TIFF": 12}[kind] * 61 * 83
    monkeypatch.setattr("restore.data.decoding.MOST_BYTES", decoded + 3 * 4 * 20 * 27)
    assert load_image(path, 27).shape == (3, 20, 27)
    for size in (None, 29):
        with pytest.raises(ImageError, match=r"x, 61 x 83 pixels, takes .* MiB to read as .*, more than .*: reduce it first"):
            load_image(path, size)
    with pytest.raises(ImageError, match="reduce it first"):
        Folder(2048).read(path)
