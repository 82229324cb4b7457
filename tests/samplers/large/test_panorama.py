"""Coarse to fine on canvases: the walk of a pyramid, whatever the tiles, and after an interruption."""

from __future__ import annotations

import itertools
import shutil

import pytest
import torch

from degrade import Field, GaussianNoise, RectifiedFlow, State, seeded
from degrade.gaussian_noise import Noise
from degrade.random import normal
from samplers import DDIM, DDPM, Canvas, CanvasError, Scale, enlarge, panorama, sizes
from samplers.large.panorama import enlarged
from tests.exact import GaussianData

NOISE = GaussianNoise(RectifiedFlow())
TIMES = torch.tensor([0.9, 0.4, 0.0], dtype=torch.float64)
SCALES = [Scale(size, GaussianData(NOISE).restore, TIMES) for size in sizes(90, 120, 30)]


def at_once(sampler, seed=0) -> torch.Tensor:
    """The walk on whole images, with the same random numbers."""
    x = None
    for i, scale in enumerate(SCALES):
        eps = normal((1, 3, *scale.size), Field((seed, i, 0), 0, 0))
        start = eps if x is None else NOISE(enlarge(x, scale.size), TIMES[:1], Noise(eps))
        state = State(start, Noise(eps))
        for number, (t, s) in enumerate(itertools.pairwise(TIMES)):
            state = sampler.step(scale.restore, NOISE, state, t[None], s[None], Field((seed, i, number + 1), 0, 0))
        x = state.x
    return x[0].clamp(-1, 1)


def made(folder, sampler, tile=32, halo=5, **options) -> torch.Tensor:
    canvas = panorama(folder, SCALES, sampler, NOISE, tile=tile, halo=halo, **options)
    return torch.cat(list(canvas.bands(50)), 1)


@pytest.mark.parametrize("sampler", [DDIM(), DDPM()], ids=str)
def test_the_walk_of_a_pyramid(sampler, tmp_path):
    """Within 1e-4 of the walk on whole images; bitwise equal for other tiles."""
    found = made(tmp_path / "a", sampler, seed=2)
    torch.testing.assert_close(found, at_once(sampler, 2), rtol=0, atol=1e-4)
    for tile, halo in ((7, 3), (200, 0), (61, 20)):
        assert torch.equal(made(tmp_path / f"{tile}", sampler, tile, halo, seed=2), found)
    assert [path.name for path in (tmp_path / "a").iterdir()] == [f"scale-{len(SCALES) - 1:02d}"]


@pytest.mark.parametrize("size", [(40, 90), (28, 34), (27, 67)])
def test_enlarged_by_windows(size, tmp_path):
    """That of the whole image, whatever the window: bitwise between windows, 1e-5 from torch's."""
    canvas = Canvas(tmp_path / "canvas", (3, 27, 33), 16, 0)
    canvas.walk(DDIM(), GaussianData(NOISE).restore, NOISE, TIMES)
    window = enlarged(canvas, size)
    expected = enlarge(canvas.window(slice(0, 27), slice(0, 33)), size)
    whole = window((slice(0, size[0]), slice(0, size[1])))
    torch.testing.assert_close(whole, expected, rtol=0, atol=1e-5)
    for top, left in torch.randint(0, 27, (10, 2), generator=seeded(0)).tolist():
        place = (slice(top, min(size[0], top + 9)), slice(left, min(size[1], left + 20)))
        assert torch.equal(window(place), whole[(..., *place)])


def test_an_interruption(tmp_path):
    """At any scale: the image of the uninterrupted walk, and no tile but those of a row is made twice."""
    expected, calls = made(tmp_path / "whole", DDPM()), []
    made(tmp_path / "counted", DDPM(), on_tile=lambda done, total: calls.append((done, total)))
    total = calls[-1][1]
    assert [done for done, _ in calls] == list(range(1, total + 1))
    for stop in (1, 3, total // 2, total - 1):

        def interrupt(done, _, stop=stop):
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / f"{stop}", DDPM(), on_tile=interrupt)
        seen: list[int] = []
        assert torch.equal(made(tmp_path / f"{stop}", DDPM(), on_tile=lambda done, _, seen=seen: seen.append(done)), expected)
        assert stop - 4 <= seen[0] <= stop + 1 and seen[-1] == total


def test_a_finished_panorama_is_there_again(tmp_path):
    """What was interrupted after its last tile, before it was written."""
    expected = made(tmp_path / "x", DDPM())
    told: list[int] = []
    assert torch.equal(made(tmp_path / "x", DDPM(), on_tile=lambda done, _: told.append(done)), expected) and not told


def test_a_full_disk_is_found_before_the_walk(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=8 * 3 * 90 * 120 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CanvasError, match="90 x 120 pixels take .* choose a smaller size or another disk"):
        made(tmp_path / "new", DDIM())
    assert not (tmp_path / "new").exists()
