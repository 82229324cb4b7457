"""Latent spaces: there and back, in tiles, and how much memory loading takes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel as Theirs

from degrade import seeded, seeds
from restore import pretrained
from restore.latents import Latents
from restore.space import Masking, encoded
from tests.published_models import made, saved, vae

IMAGES = torch.rand(2, 3, 48, 64, generator=seeded(1)) * 2 - 1


@pytest.fixture(scope="module")
def space(published):
    return pretrained(published("sd")[1], "cpu").space


def test_as_the_autoencoder_has_them(space):
    """scale (mean - shift), a draw by one generator or by one for each, and back."""
    theirs = space.codec.load()
    shifted = replace(space, shift=0.3, scale=2.0)
    posterior = theirs.encode(IMAGES).latent_dist
    torch.testing.assert_close(shifted.encode(IMAGES), 2 * (posterior.mean - 0.3))
    drawn = shifted.encode(IMAGES, torch.Generator().manual_seed(4)) / 2 + 0.3
    torch.testing.assert_close(drawn, posterior.sample(torch.Generator().manual_seed(4)))
    assert torch.equal(shifted.encode(IMAGES, seeds(7, 2))[1:], shifted.encode(IMAGES, [*seeds(1, 1), *seeds(8, 1)])[1:])
    x = torch.randn(1, 4, 5, 6, generator=seeded(2))
    torch.testing.assert_close(shifted.decode(x), theirs.decode(x / 2 + 0.3).sample)
    assert (
        shifted.limits is None and isinstance(shifted, Masking) and encoded(space, IMAGES[..., :47, :61]).shape[2:] == (24, 31)
    )


class Local:
    """A codec of means of 2 x 2 pixels, each its own."""

    stride, channels = 2, 3
    windows: list[tuple[int, ...]]

    def __init__(self) -> None:
        self.windows = []

    def encode(self, images):
        mean = torch.nn.functional.avg_pool2d(images, 2)
        return mean, torch.zeros_like(mean)

    def decode(self, latents):
        self.windows.append(tuple(latents.shape[2:]))
        return torch.nn.functional.interpolate(latents, scale_factor=2)


def test_tiles_of_a_local_codec_are_the_whole():
    """No window is larger than was said, and none is a multiple of another."""
    whole, tiles = Latents(Local(), 0.7, 0.1, tile=4096), Latents(Local(), 0.7, 0.1, tile=12, overlap=2)
    x = whole.encode(IMAGES)
    torch.testing.assert_close(tiles.encode(IMAGES), x, rtol=0, atol=1e-6)
    torch.testing.assert_close(tiles.decode(x), whole.decode(x), rtol=0, atol=1e-6)
    assert max(max(window) for window in tiles.codec.windows) <= 12 and len(tiles.codec.windows) > 10


def test_seams_of_one_that_sees_the_whole(space):
    """Blended windows: no step is larger at the edges of cores than elsewhere."""
    x = torch.randn(1, 4, 40, 40, generator=seeded(3))
    whole, tiled = space.decode(x), replace(space, tile=24, overlap=4).decode(x)
    steps = (tiled - whole).diff(dim=-1).abs().amax((0, 1, 2))
    at_edges = torch.zeros(len(steps), dtype=torch.bool)
    at_edges[[2 * cell - 1 for cell in (10, 20, 30)]] = True
    assert 0 < float(steps[at_edges].max()) <= float(steps[~at_edges].max())


def test_bad_settings():
    with pytest.raises(ValueError, match="windows of 12 cells overlap by a third of that at most, got 5"):
        Latents(vae(), tile=12, overlap=5)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux's /proc")
def test_loaded_once_and_when_it_is_used(tmp_path):
    """Opening loads nothing; looking at 130 MB, and loading them, take at most 1.1 times that, and a second use nothing."""
    pipeline = made("ddpm")
    pipeline.unet = Theirs(
        sample_size=8, block_out_channels=(192, 384), down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2
    )
    weights = sum(parameter.nbytes for parameter in pipeline.unet.parameters())
    saved(pipeline, tmp_path / "large")
    del pipeline
    ours = pretrained(tmp_path / "large", "cpu")
    load = ours.restorer.network.load
    assert "module" not in load.__dict__
    assert weights > 100e6
    assert peak(load.check) < 1.1 * weights  # which looks at all of them
    assert peak(load) < 1.1 * weights
    module = load()
    assert load() is module and not any(parameter.requires_grad for parameter in module.parameters())


def peak(run: Callable[[], object]) -> int:
    """Bytes that `run` adds to the peak."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def resident(what: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024
