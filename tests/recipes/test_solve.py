"""`solve` on the command line: files degraded elsewhere, both kinds of prior, a severity that is not known, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from recipes import solve
from restore import load_image
from restore.training.session import train
from tests.tiny import tiny


@pytest.fixture
def blurry(photo, tmp_path):
    """Blurred by Pillow, with noise of .02 in the unit of [-1, 1]."""
    with Image.open(photo) as picture:
        blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.6)), float)
    noisy = blurred + np.random.default_rng(0).normal(0, 0.02 * 127.5, blurred.shape)
    Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8)).save(tmp_path / "blurry.png")
    return tmp_path / "blurry.png"


BLUR = ["degradation:gaussian-blur"]


def test_a_file_blurred_elsewhere(blurry, photo, tmp_path, capsys):
    """The likeliest of three severities is named: 1.6 pixels are .2 of 8; what is made of it is nearer to the truth."""
    out = tmp_path / "out"
    options = ["--noise", ".02", "--prior", str(photo), "--steps", "3", "--count", "2", "--out", str(out)]
    solve.main([str(blurry), *BLUR, "--severity", ".1", ".2", ".4", *options])
    said = capsys.readouterr().out
    assert "the largest severity that leaves no more than the noise, 0.02: 0.2" in said
    clean, found = load_image(photo), load_image(out / "severity-0.2" / "mean.png")
    assert (found - clean).square().mean() < 0.7 * (load_image(blurry) - clean).square().mean()
    names = {path.name for path in (out / "severity-0.2").iterdir()}
    assert names == {"mean.png", "spread.png", "sample-0.png", "sample-1.png"} and (out / "strip.png").is_file()


def test_a_run_as_prior_and_an_operator_of_ones_own(blurry, photo, tmp_path, capsys):
    train(tiny(photo), tmp_path / "run")
    own = tmp_path / "own.py"
    own.write_text(OWN)
    out = ["--out", str(tmp_path / "out"), "--count", "1"]
    solve.main([str(blurry), "degradation:dim", "--types", str(own), "--prior", str(tmp_path / "run"), *out])
    assert "mean" in capsys.readouterr().out and load_image(tmp_path / "out" / "mean.png").shape == (3, 40, 56)


OWN = """
from dataclasses import dataclass
from degrade import ImagePrior, NoLatent
from degrade.severity import per_sample


@dataclass(frozen=True)
class Dim:
    share: float = 0.5

    def draw(self, x0, generator=None):
        return NoLatent()

    def __call__(self, x0, t, latent=NoLatent()):
        return (1 - per_sample(t, x0) * self.share) * x0

    def prior(self, images):
        return ImagePrior(images, self)
"""


def test_a_picture_that_is_too_small(photo, tmp_path):
    with Image.open(photo) as picture:
        picture.resize((28, 20), Image.Resampling.BICUBIC).save(tmp_path / "small.png")
    out = tmp_path / "out"
    solve.main(
        [
            str(tmp_path / "small.png"),
            "--size",
            "40x56",
            "--prior",
            str(photo),
            "--steps",
            "2",
            "--count",
            "1",
            "--out",
            str(out),
        ]
    )
    assert load_image(out / "sample-0.png").shape == (3, 40, 56)


def test_a_file_of_ones_own_is_not_replaced(blurry, photo, tmp_path, capsys):
    """A picture that happens to be called mean.png stays; what the command wrote itself is written again. A picture that can
    be seen through is said to be."""
    out = tmp_path / "out"
    out.mkdir()
    with Image.open(blurry) as picture:
        picture.putalpha(100)
        picture.save(tmp_path / "glass.png")
    args = [str(tmp_path / "glass.png"), *BLUR, "--prior", str(photo), "--steps", "1", "--count", "1", "--out", str(out)]
    for own in ("mean.png", "strip.png"):
        (out / own).write_bytes(photo.read_bytes())
        with pytest.raises(ValueError, match=f"{own} is there, and does not say that this project made it"):
            solve.main(args)
        (out / own).rename(tmp_path / "kept.png")
    solve.main(args)
    assert capsys.readouterr().out.count("glass.png can be seen through: it is taken as it looks on white") == 1
    solve.main(args)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([*BLUR, "--size", "10x10"], "reduce the picture with --side"),
        ([*BLUR, "--size", "4000x4000"], "more than 2 megapixels"),
        (["degradation:snow"], "--latent names its seed"),
        (["degradation:snow", "--latent", "3", "--method", "ddnm"], "ddnm is for linear operators"),
    ],
)
def test_bad_input_ends_in_one_line(args, message, blurry, photo, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=message) as caught:
        solve.main([str(blurry), *args, "--prior", str(photo), "--count", "1", "--steps", "1", "--out", str(out)])
    assert "\n" not in str(caught.value) and not out.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "say what was done to the picture"),
        ([*BLUR, "--noise", "-1"], "noise"),
        ([*BLUR, "--severity", "0"], "severity"),
        ([*BLUR, "--method", "magic"], "magic"),
    ],
)
def test_options_that_cannot_be(args, message, capsys):
    with pytest.raises(SystemExit):
        solve.main(["blurry.png", *args, "--prior", "photo.png"])
    assert message in capsys.readouterr().err


def test_a_restorer_of_something_else_is_no_prior(blurry, photo, tmp_path):
    from dataclasses import replace

    from degrade import Decolour
    from samplers import Improved

    recipe = tiny(photo, degradation=Decolour(), prediction="residual")
    train(replace(recipe, sampling=replace(recipe.sampling, sampler=Improved(), clip=False)), tmp_path / "run")
    with pytest.raises(ValueError, match="undoes Decolour: take a run of noise, or a photograph"):
        solve.main([str(blurry), *BLUR, "--prior", str(tmp_path / "run")])
