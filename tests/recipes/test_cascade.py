"""A cascade: what its upper stage is told, and both stages in one command."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import AutoencoderConfig, UNetConfig
from recipes import autoencoder, cascade, simple_diffusion
from restore import Folder, load_image, open_run, save_image
from restore.data.enlarging import FEATURES, Enlarging, enlarged, reduced
from restore.parametrisation import DETAIL
from restore.pipelines.cascade import enlarge
from restore.restorer import Restorer
from restore.training.session import train
from tests.tiny import short, tiny

DATA = Enlarging(16, small=4)
NETWORK = UNetConfig(3, (8, 8), (1, 1), (0.0, 0.0), (), groups=4, picture=3, pooled=FEATURES)


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        x = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(i)) * 2 - 1
        x = torch.nn.functional.interpolate(x[None], (20, 24), mode="bicubic")[0].clamp(-1, 1)
        save_image(x, tmp_path / f"images/{i}.png")
    return tmp_path / "images"


def test_draws_do_not_depend_on_the_others(folder):
    draw = DATA.open(folder).draw
    whole = draw(4, torch.Generator().manual_seed(1)).condition
    part = draw(4, torch.Generator().manual_seed(1), slice(1, 3)).condition
    assert torch.equal(part.image, whole.image[1:3]) and torch.equal(part.pooled, whole.pooled[1:3])
    assert whole.image.shape == (4, 3, 16, 16) and whole.pooled.shape == (4, FEATURES)


def test_without_noise_it_is_the_small_picture_enlarged():
    images = torch.rand(2, 3, 16, 20) * 2 - 1
    small = reduced(images, 4)
    told = enlarged(small, 16, torch.zeros(2), torch.randn(2, 3, 4, 5))
    expected = torch.nn.functional.interpolate(small, (16, 20), mode="bicubic")
    torch.testing.assert_close(told.image, expected, rtol=0, atol=1e-6)
    assert not torch.equal(told.pooled, enlarged(small, 16, torch.full((2,), 0.02), 0 * small).pooled)


def test_what_is_not_trained_gives_the_enlarged_picture(folder):
    """Whatever it sees, with a step of training as the only change; a picture of another size is refused."""
    recipe = short(cascade.recipe(folder), data=DATA, network=NETWORK)
    restorer = Restorer(recipe.build(), recipe.degradation, recipe.prediction)
    images, t = torch.rand(2, 3, 16, 16) * 2 - 1, torch.tensor([0.2, 1.0])
    told = enlarged(reduced(images, 4), 16, torch.zeros(2), torch.zeros(2, 3, 4, 4))
    assert torch.equal(restorer.given(told)(torch.randn(2, 3, 16, 16), t), told.image)
    output, target, c_out = restorer.given(told).output_and_target(torch.randn(2, 3, 16, 16), images, t)
    torch.testing.assert_close(told.image + c_out.float()[:, None, None, None] * target, images)
    assert not output.any() and c_out.tolist() == [DETAIL] * 2
    with pytest.raises(ValueError, match=r"detail is added to a picture of shape \(2, 3, 16, 16\), got \(2, 3, 16, 12\)"):
        restorer.given(told._replace(image=told.image[..., :12]))(torch.randn(2, 3, 16, 16), t)


def test_a_base_that_makes_no_small_images_is_refused(folder, tmp_path):
    run = train(short(cascade.recipe(folder), data=DATA, network=NETWORK), tmp_path / "large", "cpu")
    small = AutoencoderConfig(3, 4, (8, 8), 1, 4)
    coder = train(short(autoencoder.recipe(folder), data=Folder(16), network=small), tmp_path / "coder", "cpu")
    grey = train(short(replace(simple_diffusion.recipe(folder), data=Folder(16, channels=1))), tmp_path / "grey", "cpu")
    for base, reason in ((coder, "is an autoencoder, and makes none"), (grey, "makes images of 1 channels, .* of 3")):
        with pytest.raises(ValueError, match=f"{base.folder.name} {reason}"):
            cascade.main(["generate", str(run.folder), "--base", str(base.folder), "--device", "cpu"])


def test_both_stages(folder, photo, tmp_path, capsys):
    """Trained, previewed, and run from the command line: small images of one run, and a picture of one's own, enlarged."""
    run = train(short(cascade.recipe(folder), data=DATA, network=NETWORK), tmp_path / "large", "cpu")
    base = train(tiny(photo), tmp_path / "base", "cpu")
    assert (run.folder / "enlargements.png").exists() and run.data == DATA
    words = ["--count", "2", "--seed", "3", "--out", str(tmp_path / "out"), "--device", "cpu"]
    cascade.main(["generate", str(run.folder), "--base", str(base.folder), *words])
    made = load_image(tmp_path / "out/cascade-seed-3.png")
    small = base.generate(count=2, seed=3, progress=False)
    assert made.shape == (3, 4 * small.shape[2], 4 * small.shape[3])
    torch.testing.assert_close(enlarge(run, small, seed=3, progress=False)[0], made, rtol=0, atol=0.02)
    save_image(small[0], tmp_path / "small.png")
    cascade.main(["enlarge", str(run.folder), str(tmp_path / "small.png"), "--level", "0", "--out", str(tmp_path / "out")])
    assert load_image(tmp_path / "out/small.png").shape == made.shape
    cascade.main(["generate", str(run.folder), "--base", str(base.folder), "--steps", "1", *words])
    small = base.using(steps=1).generate(count=2, seed=3, progress=False)
    few = enlarge(run.using(steps=1), small, seed=3, progress=False)[0]
    torch.testing.assert_close(few, load_image(tmp_path / "out/cascade-seed-3.png"), rtol=0, atol=0.02)
    with pytest.raises(ValueError, match="large enlarges pictures, and makes none of nothing: --base names a run that makes"):
        cascade.main(["generate", str(run.folder), "--base", str(run.folder), *words])
    with pytest.raises(ValueError, match="large enlarges pictures, and makes none of nothing: .*cascade.py generate .* --base"):
        cascade.main(["sample", str(run.folder)])
    with pytest.raises(ValueError, match=r"the level of noise lies in \[0, 0.1\]"):
        enlarge(run, small, 0.5)
    with pytest.raises(ValueError, match="was not trained to enlarge pictures: name a run of cascade.py"):
        enlarge(open_run(base.folder, "cpu"), small)
