from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base

from restore.data.images import ImageError, grid, image_files, load_image, save_image


def saved(tmp_path, array, mode=None, name="x.png", **options):
    path = tmp_path / name
    Image.fromarray(array, mode).save(path, **options) if mode is None else Image.fromarray(array).convert(mode).save(
        path, **options
    )
    return path


GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], -1)


def test_rgb(tmp_path):
    x = load_image(saved(tmp_path, RGB))
    assert x.shape == (3, 10, 12) and x.dtype == torch.float32
    torch.testing.assert_close(x, torch.from_numpy(RGB.transpose(2, 0, 1).astype(np.float32)) / 127.5 - 1)


def test_round_trip(tmp_path):
    x = load_image(saved(tmp_path, RGB))
    assert torch.equal(load_image(save_image(x, tmp_path / "new" / "y.png")), x)


def test_text_in_png(tmp_path):
    path = save_image(torch.zeros(1, 4, 4), tmp_path / "y.png", {"seed": "3"})
    assert Image.open(path).text == {"seed": "3"}


@pytest.mark.parametrize(("name", "kind"), [("x.JPG", "JPEG"), ("x.jpeg", "JPEG"), ("x.webp", "WEBP"), ("x.tif", "TIFF")])
def test_the_ending_names_the_format(name, kind, tmp_path):
    """Without loss but in JPEG, whose pixels are near; what is told of the image comes with it."""
    x = torch.linspace(-1, 1, 40 * 56).reshape(1, 40, 56).expand(3, -1, -1)
    picture = Image.open(save_image(x, tmp_path / name, {"command": "für x", "seed": "3"}))
    assert picture.format == kind
    assert json.loads(picture.getexif()[Base.ImageDescription]) == {"command": "für x", "seed": "3"}
    assert float((load_image(tmp_path / name) - x).abs().max()) <= (6 if kind == "JPEG" else 1) / 255


@pytest.mark.parametrize("name", ["x", "x.gif", "x.pn", ".png"])
def test_other_endings_are_refused(name, tmp_path):
    with pytest.raises(ImageError, match=r"images are written as .png, .jpg, .webp or .tif"):
        save_image(torch.zeros(3, 4, 4), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_grey_and_its_channels(tmp_path):
    path = saved(tmp_path, GREY)
    assert load_image(path).shape == (3, 10, 12)
    assert load_image(path, channels=1).shape == (1, 10, 12)


def test_sixteen_bit(tmp_path):
    """Scaled by 65535, not clipped at 255."""
    values = (GREY.astype(np.uint16) * 257) + 100
    x = load_image(saved(tmp_path, values))
    torch.testing.assert_close(x[0], torch.from_numpy(values.astype(np.float32)) / 65535 * 2 - 1)
    tiff = load_image(saved(tmp_path, values, name="x.tif"))
    assert torch.equal(tiff, x)


def test_dark_sixteen_bit_stays_dark(tmp_path):
    x = load_image(saved(tmp_path, np.full((4, 4), 200, dtype=np.uint16)))
    assert x.max() < -0.99


def test_float_tiff(tmp_path):
    values = (GREY / 255).astype(np.float32)
    x = load_image(saved(tmp_path, values, name="x.tif"))
    torch.testing.assert_close(x[2], torch.from_numpy(values) * 2 - 1)


def test_alpha_is_composited_over_white(tmp_path):
    rgba = np.dstack([RGB, np.full((10, 12), 255, np.uint8)])
    rgba[:5, :, 3] = 0
    rgba[5, :, 3] = 128
    x = load_image(saved(tmp_path, rgba))
    assert (x[:, :5] == 1).all()
    torch.testing.assert_close(x[:, 6:], load_image(saved(tmp_path, RGB, name="y.png"))[:, 6:])
    half = (RGB[5].astype(np.float32) * 128 + 255 * 127) / 255
    torch.testing.assert_close(x[:, 5].T, torch.from_numpy(half / 127.5 - 1), rtol=0, atol=2 / 255)


def test_palette_with_transparency(tmp_path):
    picture = Image.fromarray(np.kron([[0, 1], [1, 0]], np.ones((4, 4))).astype(np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    picture.save(tmp_path / "p.png", transparency=0)
    x = load_image(tmp_path / "p.png")
    assert x[:, 0, 0].tolist() == [1, 1, 1] and x[:, 0, 7].tolist() == [-1, -1, 1]


def test_cmyk(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg", quality=95)
    x = load_image(tmp_path / "c.jpg")
    assert x[0].min() > 0.9 and x[1:].max() < -0.9


def test_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    Image.fromarray(RGB).save(tmp_path / "turned.png", exif=exif)
    upright = load_image(saved(tmp_path, np.rot90(RGB, -1).copy(), name="upright.png"))
    assert torch.equal(load_image(tmp_path / "turned.png"), upright)


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / "a.gif")[:, 0, 0].tolist() == [1, -1, -1]


@pytest.mark.parametrize(("size", "shape"), [(6, (5, 6)), (12, (10, 12)), (100, (10, 12)), (1, (1, 1))])
def test_size(tmp_path, size, shape):
    assert load_image(saved(tmp_path, RGB), size).shape[1:] == shape


def test_a_reduced_image_keeps_its_mean(tmp_path):
    path = saved(tmp_path, np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8))
    torch.testing.assert_close(load_image(path, 16).mean(), load_image(path).mean(), rtol=0, atol=5e-3)


def test_bad_files(tmp_path):
    empty, text, cut = tmp_path / "empty.png", tmp_path / "text.png", tmp_path / "cut.png"
    empty.write_bytes(b"")
    text.write_text("not an image")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:3000])
    for path, message in [
        (tmp_path / "none.png", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "not an image"),
        (text, "not an image"),
        (cut, "broken or cut off"),
    ]:
        with pytest.raises(ImageError, match=message) as error:
            load_image(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_decompression_bomb(tmp_path, monkeypatch):
    path = saved(tmp_path, RGB)
    monkeypatch.setattr("restore.data.decoding.MOST_PIXELS", 50)
    with pytest.raises(ImageError, match="more pixels than is safe"):
        load_image(path)


def test_image_files(tmp_path):
    for name in ("b/2.PNG", "a/1.jpg", "3.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["1.jpg", "2.PNG"]
    (tmp_path / "void").mkdir()
    with pytest.raises(ImageError, match="holds no image files"):
        image_files(tmp_path / "void")
    with pytest.raises(ImageError, match="not a folder"):
        image_files(tmp_path / "3.txt")


def test_save_refuses_odd_shapes(tmp_path):
    with pytest.raises(ValueError, match="1 or 3"):
        save_image(torch.zeros(2, 4, 4), tmp_path / "x.png")


def test_grid():
    canvas = grid([torch.full((3, 4, 5), -1.0), torch.zeros(3, 4, 5), torch.zeros(3, 2, 2)], columns=2, gap=1)
    assert canvas.shape == (3, 11, 13)
    assert canvas[0, 1, 1] == -1 and canvas[0, 0, 0] == 1 and canvas[0, 6, 1] == 0
