"""What a stranger's files were seen to do, and do no more: each is refused in one line, or does no harm."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from degrade import Compose, GaussianBlur, IteratedBlur, Snow, Stage, Thumbnails
from models.inception import InceptionV3
from restore import ImageError, load_image
from restore.data.images import image_files
from restore.machine.terminal import printable
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError
from restore.storage.specification import encode
from restore.storage.weights import load_network
from restore.training.metrics_log import lines
from restore.training.session import resume, train
from samplers import DDIM, Improved, Resampled
from tests.damaged_checkpoints import sign
from tests.tiny import tiny


@pytest.fixture
def run(photo, tmp_path):
    train(tiny(photo), tmp_path / "run")
    return tmp_path / "run"


def test_weights_are_what_was_saved_before_memory_is_taken(run, monkeypatch):
    """And finite."""
    folder = run / "checkpoints/step-00000004"
    weights = {name: value.clone() for name, value in load_file(folder / "ema.safetensors").items()}
    next(iter(weights.values())).fill_(torch.nan)
    save_file(weights, folder / "ema.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "to", lambda *_, **__: pytest.fail("memory was taken"))
        with pytest.raises(CheckpointError, match="its content is not what was saved"):
            open_run(run)
    sign(folder)
    with pytest.raises(CheckpointError, match="weights that are NaN or infinite"):
        open_run(run)


def test_a_checkpoint_is_no_run_to_train_in(run):
    with pytest.raises(CheckpointError, match="is a checkpoint, in which nothing is trained"):
        resume(run / "checkpoints/step-00000004")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data.update(size=[3, 5000, 5000]), "images of 5000 x 5000 are larger than they were made, 56"),
        (lambda data: data["recipe"].update(degradation=encode(Snow())), "do not go together"),
    ],
)
def test_parts_of_a_run_that_do_not_go_together(change, reason, run):
    folder = run / "checkpoints/step-00000004"
    data = json.loads((folder / "run.json").read_text())
    change(data)
    if data["recipe"]["degradation"]["type"] == "Snow":
        data["recipe"]["prediction"] = "residual"
        data["recipe"]["sampling"]["sampler"] = encode(Improved())
    (folder / "run.json").write_text(json.dumps(data))
    sign(folder)
    with pytest.raises(CheckpointError, match=reason) as caught:
        open_run(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Resampled(DDIM(), 10**18),
        lambda: Compose((Stage(GaussianBlur()),) * 3000),
        lambda: IteratedBlur(size=1),
        lambda: GaussianBlur(1e-320),
        lambda: Thumbnails(grid=1024),
        lambda: IteratedBlur(10_000, 1023)(torch.zeros(1, 1, 1, 65_536), torch.ones(1)),
    ],
)
def test_settings_of_no_real_run(make):
    with pytest.raises(ValueError, match="is 1 to|at most|odd size|is 0.001 to|fewer steps") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_metrics_that_no_run_wrote(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    with open(metrics, "wb") as file:
        file.truncate(60 * 2**30)
    with pytest.raises(ValueError, match="takes 60 GiB, more than any run's: remove it"):
        list(lines(metrics))


def test_features_are_bounded_and_finite(tmp_path):
    path = tmp_path / "features.safetensors"
    header = json.dumps({"x": {"dtype": "F32", "shape": [1] * 5_000_000, "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ValueError, match="claims a header of"):
        load_network(InceptionV3, path)
    state = InceptionV3().state_dict()
    save_file({**state, "fc.bias": torch.full_like(state["fc.bias"], torch.inf)}, path)
    with pytest.raises(ValueError, match=r"NaN or infinite: fc\.bias"):
        load_network(InceptionV3, path)


def test_tiles_larger_than_the_image(tmp_path, monkeypatch):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint8), tile=(512, 512), compression="zlib")
    assert load_image(path).shape == (3, 64, 64)
    monkeypatch.setattr("restore.data.decoding.MOST_BYTES", 2**20)
    with pytest.raises(ImageError, match="reduce it first"):
        load_image(path, 32)


def test_pictures_of_two_eyes_are_read(tmp_path):
    """MPO, which cameras write as .jpg."""
    path = tmp_path / "x.jpg"
    Image.new("RGB", (40, 30), "red").save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    assert load_image(path).shape == (3, 30, 40)


def test_a_link_to_itself_is_no_picture(photo):
    (photo.parent / "loop.png").symlink_to("loop.png")
    assert photo in image_files(photo.parent)


def test_a_panorama_knows_its_weights(photo, tmp_path):
    """Another run of the same name and step does not go on with it."""
    sources = []
    for seed in (0, 1):
        home = tmp_path / f"{seed}" / "run"
        recipe = tiny(photo)
        train(replace(recipe, training=replace(recipe.training, seed=seed)), home)
        sources.append(open_run(home).identity)
    assert len({source.rpartition("weights ")[2] for source in sources}) == 2


def test_what_a_terminal_would_obey_is_not_shown():
    assert printable("a\x1b]0;title\x07\x1b[31mb\n\u202e") == "a?]0;title??[31mb\n?"
