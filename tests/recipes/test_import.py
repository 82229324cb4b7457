"""`thaw import`, and what is done with the run."""

from __future__ import annotations

import pytest
import torch

from recipes import edit, import_, solve
from recipes.command import main as entry
from restore import load_image, open_run, save_image
from restore.run import read_recipe
from restore.training.session import resume


@pytest.fixture(scope="module")
def run(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("import") / "run"
    import_.main([str(published("sd")[1]), "--out", str(folder)])
    return folder


def test_sample_edit_and_solve(run, photo, tmp_path, capsys):
    """By the commands that other runs are used with; a sample is that of the pipeline in Python."""
    entry.thaw(
        ["sample", str(run), "--prompt", "a cat", "--negative", "rain", "--count", "1", "--steps", "2", "--size", "24x32"]
    )
    expected = open_run(run).using(steps=2).saying(negative="rain").generate((24, 32), condition="a cat", progress=False)[0]
    found = load_image(run / "samples/24x32-seed-0.png")
    torch.testing.assert_close(found, expected, rtol=0, atol=1 / 255 + 1e-6)
    hole = -torch.ones(3, 40, 56)
    hole[:, 10:25, 35:50] = 1
    save_image(hole, tmp_path / "mask.png")
    common = ["--prompt", "a cat", "--steps", "2", "--out"]
    shown = ["--image", str(photo), *common, str(tmp_path / "edited")]
    edit.main(["inpaint", str(run), "--mask", str(tmp_path / "mask.png"), "--guidance", "3", *shown])
    edit.main(["variations", str(run), "--severities", ".4", *shown])
    edit.main(["outpaint", str(run), "--size", "40x48", *shown])
    edit.main(["panorama", str(run), "--size", "40x72", "--tile", "16", "--steps", "2", "--out", str(tmp_path / "wide.png")])
    assert load_image(tmp_path / "wide.png").shape == (3, 40, 72)
    names = {path.name for path in (tmp_path / "edited").iterdir()}
    assert names == {"grid.png", "seed-0.png", "severity-0.4-seed-0.png", "40x48-seed-0.png"}
    options = ["--severity", ".3", "--method", "dps", "--count", "1", "--side", "24", *common, str(tmp_path / "solved")]
    solve.main([str(photo), "degradation:gaussian-blur", "--prior", str(run), *options])
    assert (tmp_path / "solved/mean.png").exists()
    with pytest.raises(ValueError, match="knows no classes, but words: give --prompt in place of --label"):
        entry.thaw(["sample", str(run), "--label", "a cat"])
    with pytest.raises(SystemExit):  # a class and words
        entry.thaw(["sample", str(run), "--prompt", "a", "--label", "b"])


def test_words_to_one_that_knows_none(published, tmp_path):
    import_.main([str(published("ddpm")[1]), "--out", str(tmp_path / "run")])
    with pytest.raises(ValueError, match="is a published model that was imported: it can be used"):
        resume(tmp_path / "run")
    with pytest.raises(ValueError, match="run holds no recipe of a run: it is a published model that was imported"):
        read_recipe(tmp_path / "run")
    with pytest.raises(ValueError, match="was not trained with words: leave out --prompt"):
        entry.thaw(["sample", str(tmp_path / "run"), "--prompt", "a cat"])
