"""Editing, from a photograph and from a run: known pixels stay, severity decides how much changes, bad input in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from recipes import edit
from recipes.command.masks import read_mask
from restore import load_image, save_image
from restore.training.session import train
from tests.commands import command
from tests.tiny import tiny


@pytest.fixture
def mask(tmp_path):
    """White from row 10 to 20 and column 15 to 40 of 40 x 56."""
    values = np.zeros((40, 56), np.uint8)
    values[10:20, 15:40] = 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def results(folder) -> dict[str, torch.Tensor]:
    return {path.stem: load_image(path) for path in sorted(folder.iterdir()) if path.stem != "grid"}


def test_outpaint(source, photo, tmp_path):
    """The photograph's pixels come back within half a level; what is around it is not empty."""
    edit.Outpaint(source, image=photo, count=2, size=(60, 80), steps=2, out=tmp_path / "out")()
    made, picture = results(tmp_path / "out"), load_image(photo)
    assert set(made) == {"60x80-seed-0", "60x80-seed-1"}
    for x in made.values():
        assert float((x[:, 10:50, 12:68] - picture).abs().max()) <= 1 / 255
        assert float(x[:, :8].std()) > 0.02
    assert not torch.equal(*made.values())
    edit.Outpaint(source, image=photo, crop=0.5, steps=2, out=tmp_path / "cropped")()
    (x,) = results(tmp_path / "cropped").values()
    assert x.shape == (3, 30, 42)
    assert float((x[:, 5:25, 7:35] - picture[:, 10:30, 14:42]).abs().max()) <= 1 / 255


def test_inpaint(source, photo, mask, tmp_path):
    edit.Inpaint(source, image=photo, mask=mask, count=2, steps=2, out=tmp_path / "out")()
    hole = torch.zeros(1, 40, 56)
    hole[:, 10:20, 15:40] = 1
    picture = load_image(photo)
    for x in results(tmp_path / "out").values():
        assert float(((x - picture) * (1 - hole)).abs().max()) <= 1 / 255
        assert float(((x - picture) * hole).abs().max()) > 0.05


def test_a_mask_painted_on_transparency(mask, photo):
    """White on nothing is what is painted: nothing is not white."""
    painted = np.array(Image.open(mask))
    Image.fromarray(np.stack([np.full_like(painted, 255)] * 3 + [painted], 2)).save(mask.with_name("layer.png"))
    picture = load_image(photo)
    assert torch.equal(read_mask(mask.with_name("layer.png"), picture, photo), read_mask(mask, picture, photo))


def test_harmonise_changes_the_paste_and_its_margin_only(source, photo, mask, tmp_path):
    edit.Harmonise(source, image=photo, mask=mask, margin=3, severities=(0.3, 0.6), steps=2, out=tmp_path / "out")()
    made, picture = results(tmp_path / "out"), load_image(photo)
    assert set(made) == {"severity-0.3-seed-0", "severity-0.6-seed-0"}
    hole = torch.zeros(1, 40, 56)
    hole[:, 7:23, 12:43] = 1
    for x in made.values():
        assert float(((x - picture) * (1 - hole)).abs().max()) <= 1 / 255


@pytest.mark.parametrize("command", [edit.SDEdit, edit.Variations])
def test_more_severity_changes_more(command, photo, tmp_path):
    """Without training; the mean over two seeds."""
    command(photo, image=photo, severities=(0.1, 0.5, 1.0), count=2, steps=2, out=tmp_path / "out")()
    made, picture = results(tmp_path / "out"), load_image(photo)
    change = [
        sum(float((made[f"severity-{s}-seed-{i}"] - picture).square().mean()) for i in range(2)) for s in ("0.1", "0.5", "1")
    ]
    assert change[0] < change[1] < change[2]
    assert load_image(tmp_path / "out/grid.png").shape[2] > 4 * 56


def test_sdedit_with_a_mask(source, photo, mask, tmp_path):
    edit.SDEdit(source, image=photo, mask=mask, severities=(0.5,), steps=2, out=tmp_path / "out")()
    (x,) = results(tmp_path / "out").values()
    assert float((x - load_image(photo))[:, 25:].abs().max()) <= 1 / 255


def test_style_pulls(photo, tmp_path):
    """Towards the colours of a red picture."""
    save_image(torch.tensor([0.9, -0.9, -0.9])[:, None, None].expand(3, 64, 64), tmp_path / "red.png")
    for name, weight in (("plain", 0.0), ("red", 0.3)):
        style = {"style": tmp_path / "red.png", "weight": weight}
        edit.Variations(photo, **style, severities=(0.8,), steps=4, out=tmp_path / name)()
    plain, red = (next(iter(results(tmp_path / name).values())) for name in ("plain", "red"))
    assert float(red[0].mean() - red[1:].mean()) > float(plain[0].mean() - plain[1:].mean()) + 0.1


def test_command_line(photo, mask, tmp_path):
    result = command("inpaint", photo, "--mask", mask, "--steps", "1", cwd=tmp_path, recipe="edit")
    assert result.returncode == 0, result.stderr
    assert {path.name for path in (tmp_path / "runs/photo-inpaint").iterdir()} == {"seed-0.png", "grid.png"}


def test_bad_input(photo, mask, tmp_path):
    """One clear line each."""
    Image.new("L", (56, 40)).save(tmp_path / "black.png")
    Image.new("L", (30, 30), 255).save(tmp_path / "small.png")
    train(tiny(photo), tmp_path / "run")
    cases = [
        (lambda: edit.Inpaint(photo, mask=tmp_path / "small.png")(), r"small.png is 30x30, the picture 40x56"),
        (lambda: edit.Inpaint(photo, mask=tmp_path / "black.png")(), "is dark all over"),
        (lambda: edit.Inpaint(photo, mask=tmp_path / "none.png")(), "none.png does not exist"),
        (lambda: edit.Outpaint(photo, size=(20, 90))(), "size of at least the picture's 40x56"),
        (lambda: edit.Outpaint(photo, crop=0.0)(), "crop of Outpaint is 1e-06 to 1, got 0.0"),
        (lambda: edit.Variations(photo, severities=(0.0,))(), "severities of Variations is"),
        (lambda: edit.Variations(photo, severities=()), "severities of Variations is"),
        (lambda: edit.Variations(photo, severities=(0.5, 0.01))(), r"without training, severities lie in \(0.02, 1\]"),
        (lambda: edit.SDEdit(photo), "sdedit takes a picture that was changed by hand: --image strokes.png"),
        (lambda: edit.Harmonise(photo, mask=mask), "harmonise takes a picture that was changed by hand"),
        (lambda: edit.Variations(photo, count=0)(), "count of Variations is 1 to 1e.06, got 0"),
        (lambda: edit.Variations(photo, text="words")(), "--text and --clip belong together"),
        (lambda: edit.Panorama(tmp_path / "run", size=(100, 100), tile=4)(), "smaller than their halo"),
        (lambda: edit.Panorama(tmp_path / "run", size=(10**6, 10**6))(), r"take 22351\.7 GiB .* choose a smaller size"),
        (lambda: edit.Panorama(photo, size=(10**6, 10**6))(), "choose a smaller size"),
        (lambda: edit.Panorama(photo, out=tmp_path / "x.jpg")(), r"x.jpg: large images are written as .png, .tif or .tiff"),
        (lambda: edit.Panorama(photo, steps=0)(), "steps of Panorama is 1 to 100000, got 0"),
        (lambda: edit.Panorama(tmp_path / "none.jpg")(), "none.jpg does not exist"),
        (lambda: edit.Inpaint(photo, mask=mask, soft=-1)(), "soft of Inpaint is 0 to 1000, got -1"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    result = command("panorama", tmp_path / "run", "--size", "0x10", cwd=tmp_path, recipe="edit")
    assert result.returncode != 0 and "0x10" in result.stderr and "Traceback" not in result.stderr


def test_a_large_picture_keeps_its_size(tmp_path, capsys):
    """With a mask: nothing else changes by a bit, and what is laid out at fewer pixels is said; without, what is reduced."""
    picture = np.random.default_rng(1).integers(0, 255, (12, 18, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(picture).save(tmp_path / "large.png")
    values = np.zeros((96, 144), np.uint8)
    values[40:60, 60:90] = 255
    Image.fromarray(values).save(tmp_path / "hole.png")
    paths = {"image": tmp_path / "large.png", "mask": tmp_path / "hole.png"}
    options = {"detail": 48, "steps": 1, "out": tmp_path / "out"}
    for make in (
        lambda: edit.Inpaint(paths["image"], mask=paths["mask"], **options),
        lambda: edit.SDEdit(paths["image"], **paths, severities=(0.5,), **options),
        lambda: edit.Harmonise(paths["image"], **paths, margin=0, severities=(0.5,), **options),
    ):
        make()()
        laid_out = "large.png keeps its 96x144 pixels; what is made anew is laid out at 48" in capsys.readouterr().out
        assert laid_out == (not isinstance(make(), edit.Inpaint))  # which takes pieces of the picture itself
        (path,) = (path for path in (tmp_path / "out").iterdir() if path.stem != "grid")
        made = np.asarray(Image.open(path))
        assert (made == picture)[values == 0].all() and (made != picture)[values > 0].mean() > 0.1
        path.unlink()
    edit.Variations(paths["image"], severities=(0.3,), **options)()
    assert "large.png is reduced from 96x144 to 32x48 pixels: --detail for another size" in capsys.readouterr().out


def test_soft_edges(photo, mask, tmp_path):
    """Known pixels change near what is new, less the further away; beyond the edge's width they stay."""
    edit.Inpaint(photo, mask=mask, soft=6, count=2, out=tmp_path / "out")()
    picture, rows = load_image(photo), []
    for x in results(tmp_path / "out").values():
        rows.append((x - picture).abs().amax((0, 2)))
    change = torch.stack(rows).mean(0)
    assert float(change[27:].max()) <= 1 / 255 and float(change[20]) > float(change[24]) > 0


def test_a_sketch_gives_the_layout(source, tmp_path):
    """Left dark, right bright."""
    save_image(torch.cat([-torch.ones(3, 40, 28), torch.ones(3, 40, 28)], -1), tmp_path / "sketch.png")
    edit.Variations(source, severities=(1.0,), layout=tmp_path / "sketch.png", steps=4, out=tmp_path / "out")()
    (x,) = results(tmp_path / "out").values()
    assert float(x[..., 34:].mean()) > float(x[..., :22].mean()) + 0.3
