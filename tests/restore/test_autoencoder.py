"""A trained autoencoder as the codec of a space: pinned, measured, found again; and diffusion in its latents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recipes import edit
from restore import open_run
from restore.autoencoder import TrainedAutoencoder
from restore.storage.checkpoint import CheckpointError, open_checkpoint, seal
from restore.training.session import resume, train
from tests.tiny_latent import SIZE, coder, latent, pictures


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder of images, and an autoencoder of them."""
    home = pictures(tmp_path_factory.mktemp("latents"))
    train(coder(home, 2), home / "autoencoder", "cpu")
    return home


def weights(run):
    return list(run.restorer.network.parameters())


def test_what_is_resumed_is_the_same(home, tmp_path):
    """From step 1 of 2 on, where the discriminator begins to be heard; and what it restores is its reconstruction."""
    run = open_run(home / "autoencoder", "cpu").using(steps=1)
    assert (run.folder / "reconstructions.png").exists()
    train(coder(home, 1), tmp_path / "run", "cpu")
    gone_on = resume(tmp_path / "run", "cpu", steps=2)
    assert all(torch.equal(a, b) for a, b in zip(weights(run), weights(gone_on), strict=True))
    x = run.read()[:, :SIZE, :SIZE]
    torch.testing.assert_close(run.restore(x, 1.0, progress=False), run.direct(x, 1.0), rtol=0, atol=1e-6)


def test_a_run_in_latents(home, tmp_path):
    """Its scale was measured, its autoencoder pinned; it is opened, sampled, resumed, and pictures are edited with it."""
    run = train(latent(home), tmp_path / "run", "cpu")
    space = open_run(tmp_path / "run", "cpu").space
    assert space == run.space and len(space.codec.weights) == 64 and space.codec.autoencoder == home / "autoencoder"
    images = run.recipe.data.open(run.recipe.images).images
    assert abs(float(space.encode(images).std()) - 1) < 1e-3
    assert run.generate((SIZE, SIZE + 4), 2, progress=False).shape == (2, 3, SIZE, SIZE + 4)
    assert resume(tmp_path / "run", "cpu", steps=3).step == 3
    edit.main(["variations", str(tmp_path / "run"), "--severities", ".2", "--out", str(tmp_path / "out")])
    assert (tmp_path / "out/grid.png").exists()


def test_an_autoencoder_that_is_another(home, tmp_path):
    found = TrainedAutoencoder(home / "autoencoder").pinned(3)
    other = replace(found, weights="0" * 64)
    with pytest.raises(CheckpointError, match="has other weights than those that were trained with, 00000000"):
        other.decode(torch.zeros(1, 4, 2, 2))
    with pytest.raises(ValueError, match="takes images of 3 channels, these have 1: --data.channels 3"):
        found.pinned(1)
    with pytest.raises(ValueError, match="--autoencoder names the folder of a run of autoencoder.py"):
        _ = TrainedAutoencoder().stride
    with pytest.raises(CheckpointError, match="the autoencoder cannot be opened: .* is not a folder"):
        _ = TrainedAutoencoder(tmp_path / "gone").stride


@pytest.mark.parametrize(
    ("scale", "message"), [(0.0, "run.json: Latents that nothing was measured for"), (1e-30, "scale of Latents is 1/std")]
)
def test_latents_of_no_scale(scale, message, home, tmp_path):
    """A recipe may leave it to be measured, a run may not: nothing can be divided by it."""
    run = train(latent(home), tmp_path / "run", "cpu")
    folder = open_checkpoint(run.folder).folder
    data = json.loads((folder / "run.json").read_text())
    data["recipe"]["space"]["scale"] = scale
    (folder / "run.json").write_text(json.dumps(data))
    (folder / "SHA256SUMS").unlink()
    seal(folder)
    with pytest.raises(CheckpointError, match=message):
        open_run(run.folder, "cpu")
