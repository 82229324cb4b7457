"""Files written band by band are what Pillow and tifffile read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from restore import save_image
from restore.data.bands import write_bands, writer
from restore.data.images import to_bytes


def picture(channels: int, height: int = 301, width: int = 517) -> torch.Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [1, 64, 301, 1000])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_bands_are_the_image(channels, rows, suffix, tmp_path):
    x = picture(channels)
    if suffix == "tif":
        pytest.importorskip("tifffile")
    path = write_bands(tmp_path / f"x.{suffix}", tuple(x.shape), x.split(rows, 1))
    expected = to_bytes(x).permute(1, 2, 0).numpy().squeeze()
    with Image.open(path) as file:
        assert file.mode == ("L" if channels == 1 else "RGB")
        assert np.array_equal(np.array(file), expected)
    assert list(tmp_path.iterdir()) == [path]


def test_png_is_about_as_small_as_pillows(tmp_path):
    y, x = torch.meshgrid(torch.linspace(-1, 1, 300), torch.linspace(-1, 1, 400), indexing="ij")
    smooth = torch.stack([y, x, y * x])
    ours = write_bands(tmp_path / "ours.png", (3, 300, 400), [smooth]).stat().st_size
    assert ours < 1.5 * save_image(smooth, tmp_path / "theirs.png").stat().st_size


def test_big_tiff_from_two_gigabytes(tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    seen = {}
    monkeypatch.setattr(tifffile, "imwrite", lambda path, data, **options: (seen.update(options), path.touch()))
    write_bands(tmp_path / "x.tif", (3, 30_000, 30_000), [])
    assert seen["bigtiff"] and seen["tile"] == (256, 256)
    write_bands(tmp_path / "x.tif", (3, 300, 300), [])
    assert not seen["bigtiff"]


def test_an_error_leaves_nothing(tmp_path):
    def bands():
        yield picture(3)[:, :10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bands(tmp_path / "x.png", (3, 301, 517), bands())
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    assert writer(tmp_path / "x.PNG") is writer(tmp_path / "y.png")
    with pytest.raises(ValueError, match=r"x.webp: large images are written as .png, .tif or .tiff"):
        writer(tmp_path / "x.webp")
    monkeypatch.setattr("restore.data.bands.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="TIFF files need tifffile: python -m pip install"):
        writer(tmp_path / "x.tif")
