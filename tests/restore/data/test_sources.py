from __future__ import annotations

import pytest
import torch

from degrade.random import seeded
from restore import Crops, Folder, ImageError, OneImage, load_image, save_image

SOURCES = [OneImage(size=48), Crops(size=48, crop=16), Folder(size=24)]


def opened(source, photo):
    return source.open(photo.parent if isinstance(source, Folder) else photo)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_draws_repeat(source, photo):
    """A function of the generator alone, across openings."""
    first, again = (opened(source, photo).draw(3, seeded(4)).x0 for _ in range(2))
    assert torch.equal(first, again) and first.shape[0] == 3 and first.abs().max() < 1.5
    assert not torch.equal(first, opened(source, photo).draw(3, seeded(5)).x0)


def test_one_image_rescales_sides_independently_to_a_multiple(photo):
    batches = OneImage(size=48, multiple=4).open(photo)
    shapes = {tuple(batches.draw(1, seeded(i)).x0.shape[-2:]) for i in range(200)}
    heights, widths = {h for h, _ in shapes}, {w for _, w in shapes}
    height, width = batches.images.shape[-2:]
    assert (height, width) == (34, 48)
    assert heights == {24, 28, 32, 36, 40} and widths == {36, 40, 44, 48, 52, 56}
    assert len(shapes) > 15


def test_one_image_is_interpolated_as_published(photo):
    """Bicubic, without antialiasing, one size for the batch."""
    batches = OneImage(size=48, rescale=(0.75, 0.75)).open(photo)
    x = batches.draw(2, seeded(0)).x0
    expected = torch.nn.functional.interpolate(load_image(photo, 48)[None], (24, 36), mode="bicubic")
    assert torch.equal(x, expected.expand(2, -1, -1, -1))


def test_crops_without_rescaling_are_windows_of_the_image(photo):
    image = load_image(photo, 48)
    for x in Crops(size=48, crop=16, rescale=(1, 1)).open(photo).draw(8, seeded(0)).x0:
        windows = image.unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4)
        assert (windows - x).abs().flatten(2).amax(-1).min() < 1e-4


def test_crops_are_windows_of_the_rescaled_image(photo):
    """Cutting through one interpolation equals rescaling the image and cutting (to 1e-4), away from its edge."""
    image = load_image(photo, 48)
    height, width = image.shape[1:]
    rescaled = (round(0.8 * height), round(0.8 * width))
    whole = torch.nn.functional.interpolate(image[None], rescaled, mode="bicubic")[0]
    windows = whole.unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4)
    for x in Crops(size=48, crop=16, rescale=(0.8, 0.8)).open(photo).draw(8, seeded(1)).x0:
        distance = (windows - x)[..., 2:-2, 2:-2].abs().flatten(2).amax(-1)
        assert distance.min() < 1e-4


def test_crops_larger_than_the_image(photo):
    """A crop is at most the image: here its whole height, or as much of it as a network that works on squares learns."""
    batches = Crops(size=40, crop=32).open(photo)
    assert batches.images.shape == (1, 3, 29, 40) and batches.draw(2, seeded(0)).x0.shape == (2, 3, 28, 32)
    assert Crops(size=40, crop=32, multiple=1).open(photo).draw(2, seeded(0)).x0.shape == (2, 3, 29, 32)


def test_folder_reduces_and_cuts(tmp_path):
    for i in range(3):
        save_image(torch.full((3, 30 + i, 50), i / 3), tmp_path / f"deep/{i}.png")
    batches = Folder(size=16).open(tmp_path)
    x = batches.draw(40, seeded(0)).x0
    assert x.shape == (40, 3, 16, 16) and len(x.mean((1, 2, 3)).mul(100).round().unique()) == 3
    assert batches.images.shape == (3, 3, 16, 16)


@pytest.mark.parametrize(("shape", "seen"), [((3, 500), "1 x 64"), ((500, 40), "64 x 5"), ((5, 6), "5 x 6"), ((1, 1), "1 x 1")])
def test_narrow_images_are_refused(shape, seen, tmp_path):
    save_image(torch.zeros(3, *shape), tmp_path / "narrow.png")
    for source in (OneImage(size=64), Crops(size=64, crop=32)):
        with pytest.raises(ImageError, match=rf"narrow.png (has|is seen as) {seen} pixels, too few .* at least 8\. Cut"):
            source.open(tmp_path / "narrow.png")


def test_narrow_images_of_a_folder_are_passed_over(tmp_path, capsys):
    save_image(torch.zeros(3, 3, 500), tmp_path / "narrow.png")
    save_image(torch.zeros(3, 8, 9), tmp_path / "small.png")
    batches = Folder(size=16).open(tmp_path)
    assert batches.draw(3, seeded(0)).x0.shape == (3, 3, 16, 16)
    assert [path.name for path in batches.skipped] == ["narrow.png"] and "3 x 500 pixels" in capsys.readouterr().err


def test_missing_files(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        Crops().open(tmp_path / "none.png")
    with pytest.raises(ImageError, match="not a folder"):
        Folder().open(tmp_path / "none")


@pytest.mark.parametrize("make", [lambda: Crops(size=2), lambda: Crops(crop=1), lambda: OneImage(rescale=(1.2, 0.8))])
def test_bad_settings(make):
    with pytest.raises(ValueError, match="at least 8|rescale"):
        make()
