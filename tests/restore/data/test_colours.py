"""Colours: profiles become sRGB within 2 of 255 levels, broken ones say nothing; HEIC and AVIF are pictures like others."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from restore import ImageError, load_image
from restore.data.decoding import image_size
from restore.data.images import image_files
from tests.profiles import ADOBE, GAMMA, P3, SRGB, press, profile, to_srgb

heif = pytest.importorskip("pillow_heif")
heif.register_heif_opener()

COLOURS = np.stack(np.meshgrid(*3 * [np.arange(0, 256, 51)]), -1).reshape(18, 12, 3).astype(np.uint8)
BLOCKS = np.kron(COLOURS, np.ones((8, 8, 1), np.uint8))
LOSSLESS = {"png": {}, "tif": {}, "heic": {"quality": -1, "chroma": 444}, "avif": {"quality": 100, "subsampling": "4:4:4"}}
"""HEIC and AVIF keep luminance and two colours of 8 bits: to within CODED levels of red, green and blue."""
CODED = 3


def levels(path, channels=3) -> np.ndarray:
    """(H, W, C) in [0, 255]."""
    return (load_image(path, channels=channels).permute(1, 2, 0).numpy().astype(np.float64) + 1) * 127.5


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize(("primaries", "gamma"), [(SRGB, None), (P3, None), (ADOBE, GAMMA)])
def test_colours(kind, primaries, gamma, tmp_path, monkeypatch):
    """Of a file with a profile, in bands: as the formulas say."""
    monkeypatch.setattr("restore.data.decoding.BAND", 3000)
    path = tmp_path / f"x.{kind}"
    Image.fromarray(BLOCKS).save(path, icc_profile=profile(primaries, gamma), **LOSSLESS[kind])
    wanted = to_srgb(np.asarray(Image.open(path)), primaries, gamma)
    assert abs(levels(path) - wanted).max() <= 2
    assert np.abs(wanted - BLOCKS).max() > 20 or primaries is SRGB
    if primaries is SRGB:  # not even rounded anew
        assert abs(levels(path) - np.asarray(Image.open(path))).max() < 0.01


def test_without_a_profile(tmp_path):
    for kind in ("heic", "avif"):
        Image.fromarray(BLOCKS).save(tmp_path / f"x.{kind}", **LOSSLESS[kind])
        assert abs(levels(tmp_path / f"x.{kind}") - BLOCKS).max() <= CODED
    assert {path.suffix for path in image_files(tmp_path)} == {".heic", ".avif"}


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_greys(mode, tmp_path):
    """Of 8 and 16 bits, with transparency, which stays."""
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values).convert(mode)
    if mode == "LA":
        picture.putalpha(Image.fromarray(np.kron([[0, 1]], np.full((16, 8), 255)).astype(np.uint8)))
    picture.save(tmp_path / "x.png", icc_profile=profile(gamma=1.8, grey=True))
    wanted = to_srgb(np.repeat(values[..., None], 3, 2), SRGB, 1.8)
    if mode == "LA":
        wanted[:, :8] = 255
    assert abs(levels(tmp_path / "x.png") - wanted).max() <= 2
    assert abs(levels(tmp_path / "x.png", 1)[..., 0] - wanted[..., 0]).max() <= 2


def test_transparency_and_palettes(tmp_path):
    """White behind the picture is sRGB's white."""
    rgba = np.dstack([BLOCKS, np.full(BLOCKS.shape[:2], 128, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "x.png", icc_profile=profile(P3))
    wanted = (to_srgb(BLOCKS, P3) * 128 + 255 * 127) / 255
    assert abs(levels(tmp_path / "x.png") - wanted).max() <= 2
    few = Image.fromarray(BLOCKS).quantize(16)
    few.save(tmp_path / "p.png", icc_profile=profile(P3))
    assert abs(levels(tmp_path / "p.png") - to_srgb(np.asarray(few.convert("RGB")), P3)).max() <= 2


def test_inks(tmp_path):
    """CMYK with a press's profile, as LittleCMS converts it; without, as Pillow does."""
    values = np.stack(np.meshgrid(*4 * [[0, 120, 255]]), -1).reshape(9, 9, 4)
    inks = Image.fromarray(values.astype(np.uint8), "CMYK")
    for name, data in {"press": press(), "none": b""}.items():
        inks.save(tmp_path / f"{name}.tif", icc_profile=data)
    paper = ImageCms.ImageCmsProfile(io.BytesIO(press()))
    wanted = ImageCms.profileToProfile(inks, paper, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert abs(levels(tmp_path / "press.tif") - np.asarray(wanted)).max() <= 2
    assert abs(levels(tmp_path / "none.tif") - np.asarray(inks.convert("RGB"))).max() < 0.01


@pytest.mark.parametrize("broken", [b"x", profile(P3)[:300], profile(P3, grey=True), press(), bytes(2**24 + 1)])
def test_a_profile_that_says_nothing(broken, tmp_path):
    """Pixels stay as they are."""
    Image.fromarray(BLOCKS).save(tmp_path / "x.tif", icc_profile=broken)
    assert abs(levels(tmp_path / "x.tif") - BLOCKS).max() < 0.01


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_applied_once(orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(BLOCKS).save(tmp_path / "x.png", exif=exif)
    for kind in ("heic", "avif"):
        Image.fromarray(BLOCKS).save(tmp_path / f"x.{kind}", exif=exif.tobytes(), **LOSSLESS[kind])
        assert image_size(tmp_path / f"x.{kind}") == image_size(tmp_path / "x.png")
        assert abs(levels(tmp_path / f"x.{kind}") - levels(tmp_path / "x.png")).max() <= CODED


def test_ten_bits(tmp_path):
    """Of colours and of greys."""
    for mode, values in {"RGB;16": BLOCKS, "I;16": BLOCKS[..., 0]}.items():
        size = (BLOCKS.shape[1], BLOCKS.shape[0])
        picture = heif.from_bytes(mode, size, (values.astype(np.uint16) * 257).tobytes())
        picture.save(tmp_path / "x.heic", quality=-1, chroma=444)
        assert abs(levels(tmp_path / "x.heic") - values.reshape(*size[::-1], -1)).max() <= 2


def test_without_pillow_heif(tmp_path, monkeypatch):
    """One line that says what to install; AVIF is read by Pillow."""
    for kind in ("heic", "avif"):
        Image.fromarray(BLOCKS).save(tmp_path / f"x.{kind}", **LOSSLESS[kind])
    monkeypatch.setattr("restore.data.decoding.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"x.heic: HEIC files need pillow-heif: python -m pip install .*\[heif\]"):
        load_image(tmp_path / "x.heic")
    assert torch.isfinite(load_image(tmp_path / "x.avif")).all()
