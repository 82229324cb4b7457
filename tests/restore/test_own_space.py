"""A space of the tests' own, the bands of a wavelet at half the size: as a pipeline works in an autoencoder's latents."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from degrade import GaussianBlur, Thumbnails, seeded
from recipes import edit
from restore import Edit, Pixels, load_image, open_run, save_image, train
from restore.pipelines.editing import layout_guide
from restore.space import encoded
from tests import own_types
from tests.own_types import Bands, OneLayer
from tests.tiny import tiny

SPACE = Bands()
SIZES = [(8, 12), (9, 13), (8, 13)]


@pytest.fixture
def run(photo, tmp_path):
    recipe = replace(tiny(photo), space=SPACE, network=OneLayer(image_channels=12))
    train(recipe, tmp_path / "run")
    return open_run(tmp_path / "run", types=[Bands, OneLayer])


@pytest.mark.parametrize("size", SIZES)
def test_images_of_any_size_go_there_and_back(size):
    images = torch.rand(2, 3, *size) * 2 - 1
    x = encoded(SPACE, images)
    assert x.shape == (2, 12, -(-size[0] // 2), -(-size[1] // 2))
    torch.testing.assert_close(SPACE.decode(x)[..., : size[0], : size[1]], images, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_a_run_in_it(size, run):
    """Its prior and its walk are those of x; images come out at the size that was asked for."""
    walked = []
    images = run.generate(size, count=2, seed=1, on_step=lambda step: walked.append(step.x.shape))
    assert images.shape == (2, 3, *size) and set(walked) == {(2, 12, -(-size[0] // 2), -(-size[1] // 2))}
    clean = torch.rand(3, *size) - 0.5
    found = run.degrade_and_restore(clean, 0.5, seed=3)
    torch.testing.assert_close(found.clean, clean, rtol=0, atol=1e-6)
    assert found.restored.shape == found.degraded.shape == clean.shape
    measured = run.restore(found.degraded, 0.5, seed=3)
    assert measured.shape == run.direct(found.degraded, 0.5).shape == clean.shape


def test_what_it_learns_from_is_encoded(run):
    """Draws of the source, and what the prior is fitted to."""
    recipe = replace(run.recipe, degradation=GaussianBlur(2.0), prediction="residual", prior=Thumbnails(2))
    bands, prior = recipe.open("cpu")
    pixels, _ = replace(recipe, space=Pixels(), network=OneLayer()).open("cpu")
    x0, images = (batches.draw(2, seeded(0)).x0 for batches in (bands, pixels))
    assert torch.equal(x0, SPACE.encode(images))
    assert torch.equal(prior.means, Thumbnails(2).fit(SPACE.encode(pixels.images), recipe.degradation).means)


def test_edits(run, photo, tmp_path):
    """A picture to begin with is encoded: at a low severity it comes back much as it was. Masks and guides are refused."""
    picture = run.read()
    size = (picture.shape[1], picture.shape[2])
    near = run.using(clip=False).generate(size, edit=Edit(begin=picture, severity=0.001))[0]
    far = run.generate(size, edit=Edit(begin=picture, severity=1.0))[0]
    assert float((near - picture).abs().mean()) < 0.05 < float((far - picture).abs().mean())
    mask = torch.zeros(1, *size)
    for refused in (Edit(known=(picture, mask)), Edit(guides=[layout_guide(picture)])):
        with pytest.raises(ValueError, match="masks and guides act on pixels, this restorer works in Bands: leave them out"):
            run.generate(size, edit=refused)
    types = ["--types", str(own_types.__file__)]
    save_image(torch.ones(3, *size), tmp_path / "mask.png")
    edit.main(["variations", str(run.folder), "--severities", ".2", "--out", str(tmp_path / "out"), *types])
    assert (tmp_path / "out/grid.png").exists()
    words = ["inpaint", str(run.folder), "--mask", str(tmp_path / "mask.png")]
    with pytest.raises(ValueError, match="masks and guides act on pixels"):
        edit.main([*words, "--out", str(tmp_path / "refused.png"), *types])
    words = ["panorama", str(run.folder), "--size", "20x31", "--tile", "8"]
    edit.main([*words, "--out", str(tmp_path / "wide.png"), *types])  # windows are of x, whatever it is made of
    assert load_image(tmp_path / "wide.png").shape == (3, 20, 31)
