"""Pictures from a browser: kept once, refused in one line; masks of the picture's own size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from recipes.command.masks import read_mask
from recipes.command.studio import inputs
from restore.data.decoding import ImageError
from restore.data.images import load_image


def editor(height: int, width: int, *boxes: tuple[slice, slice], colour: tuple[int, ...] = (255, 0, 0, 128)) -> dict:
    layer = np.zeros((height, width, 4), np.uint8)
    for box in boxes:
        layer[box] = colour
    return {"background": None, "layers": [layer], "composite": None}


def test_an_upload_is_kept_once(photo, tmp_path):
    upload = photo.rename(tmp_path / "..x  y.PNG")
    kept = inputs.keep(upload, tmp_path / "home")
    assert kept.parent == tmp_path / "home" and kept.name.startswith("x  y-") and kept.suffix == ".png"
    assert inputs.keep(upload, tmp_path / "home") == kept and kept.read_bytes() == upload.read_bytes()
    assert max(inputs.shown(kept).shape) == 6 * 56


def test_uploads_that_are_refused(photo, tmp_path, monkeypatch):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    for name, words in (("huge", "claims more pixels than is safe"), ("text", "is not an image that Pillow can read")):
        with pytest.raises(ImageError, match=words):
            inputs.keep(tmp_path / f"{name}.png", tmp_path / "home")
    monkeypatch.setattr(inputs, "MOST_BYTES", 100)
    with pytest.raises(ImageError, match="takes more than 0 MiB: reduce it first"):
        inputs.keep(photo, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_mask_has_the_size_of_the_file(photo, tmp_path):
    """What is painted on the enlarged picture lies where it was painted, in the file's pixels."""
    home, box = tmp_path / "home", (slice(60, 120), slice(90, 180))
    path = inputs.mask_file(editor(240, 336, box), photo, home)
    mask = read_mask(path, load_image(photo), photo)
    expected = np.zeros((40, 56), bool)
    expected[10:20, 15:30] = True
    assert np.array_equal(mask[0].numpy() == 1, expected)
    for nothing in (editor(240, 336), None, {"layers": []}):
        with pytest.raises(ValueError, match="nothing is painted"):
            inputs.mask_file(nothing, photo, home)


def test_strokes_lie_on_the_picture(photo, tmp_path):
    box = (slice(60, 120), slice(90, 180))
    path = inputs.strokes_file(editor(240, 336, box, colour=(0, 0, 255, 255)), photo, tmp_path)
    strokes, picture = np.array(Image.open(path)), np.asarray(Image.open(photo))
    assert (strokes[10:20, 15:30] == (0, 0, 255)).all()
    strokes[10:20, 15:30] = picture[10:20, 15:30]
    assert np.array_equal(strokes, picture)
