"""Images of any size, from a photograph and from a run: the same in tiles as at once, and after a kill."""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recipes.command.panorama import Panorama
from restore import load_image
from restore.pipelines.likeness import Likeness
from restore.training.session import train
from tests import own_types
from tests.commands import start
from tests.own_types import OneLayer
from tests.tiny import NETWORK, tiny


def test_panorama(source, tmp_path, capsys):
    """From a run and without training, in tiles and at once; a PNG and a TIFF; what was needed on disk is gone."""
    paths = [tmp_path / name for name in ("small.png", "large.png", "x.tif")]
    for path, tile in zip(paths, (96, 512, 104), strict=True):
        Panorama(source, size=(70, 150), steps=2, tile=tile, out=path)()
    images = [load_image(path) for path in paths]
    assert images[0].shape == (3, 70, 150) and float(images[0].std()) > 0.05
    for other in images[1:]:
        difference = 127.5 * (other - images[0]).abs()  # which clusters a patch meets may turn on a rounding
        assert float((difference > 1.01).float().mean()) <= 0.01 and float(difference.max()) <= 8
    assert not list(tmp_path.glob(".*canvas")) and "70 x 150 pixels in" in capsys.readouterr().out


def test_a_killed_panorama_goes_on(source, tmp_path):
    """SIGKILL after some tiles: the same command gives the image of an uninterrupted one."""
    once = Panorama(source, size=(160, 200), steps=1, tile=96, out=tmp_path / "once.png")
    again = replace(once, out=tmp_path / "again.png")
    flags = ["panorama", again.source, "--size", "160x200", "--steps", "1", "--tile", "96", "--out", again.out]
    program = start(*flags, cwd=tmp_path, recipe="edit")
    while program.runs and not begun(tmp_path / ".again.png.canvas"):
        time.sleep(0.01)
    program.processes[0].kill()
    assert program.finish().returncode == -signal.SIGKILL and not again.out.exists()
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / ".again.png.canvas").rglob("state-*")}
    assert left
    again()
    once()
    assert torch.equal(load_image(again.out), load_image(once.out))


def begun(folder) -> bool:
    """Whether the walk at the finest size has made some tiles."""
    notes = sorted(folder.glob("*/canvas.json"))
    with suppress(OSError, ValueError):  # just being replaced
        note = json.loads(notes[-1].read_text()) if notes else {"done": 0}
        return note["done"] > 0 and note["size"][1:] == [160, 200]
    return False


def test_another_image_is_not_gone_on_with(photo, tmp_path, monkeypatch):
    train(tiny(photo), tmp_path / "run")
    begun = Panorama(tmp_path / "run", size=(60, 120), tile=52, out=tmp_path / "x.png")
    with monkeypatch.context() as patch:
        patch.setattr("restore.data.bands.write_bands", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            begun()
    with pytest.raises(ValueError, match="holds another image: finish that with its own settings, or name another folder"):
        replace(begun, seed=1)()
    begun()
    assert load_image(tmp_path / "x.png").shape == (3, 60, 120)


def test_a_run_says_what_tiles_do_without(photo, tmp_path, capsys):
    train(replace(tiny(photo), prior=Likeness()), tmp_path / "run")
    Panorama(tmp_path / "run", size=(60, 120), tile=60, out=tmp_path / "x.png")()
    assert "tiles are not brought to the photograph's colours as a whole image is, by " in capsys.readouterr().out


def test_a_network_that_sees_everything_gives_a_blend(photo, tmp_path, capsys):
    network = replace(NETWORK, norm="group", groups=4)
    train(replace(tiny(photo), network=network), tmp_path / "run")
    Panorama(tmp_path / "run", size=(50, 130), out=tmp_path / "x.png")()
    assert "the network sees the whole image. Windows of 56 pixels" in capsys.readouterr().out
    x = load_image(tmp_path / "x.png")
    assert x.shape == (3, 50, 130) and float(x.std()) > 0.02
    with pytest.raises(ValueError, match="not enough memory"):
        Panorama(tmp_path / "run", size=(10**6, 10**6), out=tmp_path / "y.png")()


def test_a_local_network_of_ones_own(photo, tmp_path):
    """It says how far it sees (`halo`): its tiles on disk are those of one that covers the image, to a level of 255."""
    run = train(replace(tiny(photo), network=OneLayer(side=5)), tmp_path / "run")
    assert run.halo == 2
    paths = [tmp_path / "small.png", tmp_path / "whole.png"]
    for path, tile in zip(paths, (24, 512), strict=True):
        Panorama(run.folder, size=(70, 90), steps=3, tile=tile, out=path, types=Path(own_types.__file__))()
    torch.testing.assert_close(*map(load_image, paths), rtol=0, atol=1.01 / 127.5)
