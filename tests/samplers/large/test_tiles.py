"""Tiles and canvases: the same image as at once, whatever the tiles; interrupted, resumed, refused."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pytest
import torch

from degrade import Cosine, Field, GaussianBlur, GaussianNoise, RectifiedFlow, State, seeded
from degrade.files import discard
from degrade.gaussian_noise import Noise
from degrade.random import normal, uniform
from models import PatchUNetConfig
from models.receptive_field import receptive_field
from restore import Restorer
from samplers import DDIM, DDPM, Canvas, CanvasError, DPMSolver, Improved, blended, sample, tiled
from samplers import uniform as uniform_times
from samplers.large.tiles import tiles
from tests.exact import GaussianData

NOISE = GaussianNoise(Cosine())
CONFIG = PatchUNetConfig(channels=8, multipliers=(1, 2), kernels=(3, 3), patch=2, norm="pixel")
HALO = receptive_field(CONFIG) // 2 + CONFIG.stride
CASES = torch.randint(20, 90, (20, 3), generator=seeded(1)).tolist()  # height, width, tile beyond the halo


@pytest.fixture(scope="module")
def local() -> Restorer:
    """A strictly local restorer whose weights are all in use."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CONFIG.build()
        with torch.no_grad():
            for p in network.parameters():
                p.add_(0.1 * torch.randn_like(p))
    return Restorer(network.eval(), NOISE, "v", "float32")


def at_once(sampler, restore, degradation, shape, times, seed=0) -> torch.Tensor:
    """The walk of a canvas, on the whole image."""
    eps = normal((1, *shape), Field((seed, 0), 0, 0))
    state = State(eps, Noise(eps))
    with torch.no_grad():
        for number, (t, s) in enumerate(itertools.pairwise(times)):
            state = sampler.step(restore, degradation, state, t[None], s[None], Field((seed, number + 1), 0, 0))
    return state.x[0]


def walked(folder, shape, tile, halo, stride, sampler, restore, degradation, times, **options) -> torch.Tensor:
    canvas = Canvas(folder, shape, tile, halo, stride)
    canvas.walk(sampler, restore, degradation, times, **options)
    return torch.cat(list(canvas.bands(7)), 1)


@pytest.mark.parametrize(
    ("height", "width", "tile", "halo", "stride"), [(50, 33, 16, 5, 4), (7, 90, 30, 30, 1), (64, 64, 64, 0, 8)]
)
def test_tiles_cover_the_image(height, width, tile, halo, stride):
    seen = torch.zeros(height, width)
    for core, window, inner in tiles(height, width, tile, halo, stride):
        seen[core] += 1
        assert all(w.start % stride == 0 for w in window)
        place = torch.arange(height)[:, None] * width + torch.arange(width)
        assert torch.equal(place[window][inner], place[core])
        for c, w, side in zip(core, window, (height, width), strict=True):
            assert w.start == 0 or c.start - w.start >= halo
            assert w.stop == side or w.stop - c.stop >= halo
    assert bool((seen == 1).all())


@pytest.mark.parametrize("stride", [1, 4])
def test_tiles_are_of_like_size(stride, tmp_path):
    """As few as possible, none below half a tile (to a square), whatever is left over: 65 pixels in tiles of 64 are 32 + 33."""
    for side in range(1, 150):
        for tile in (16, 64, 100):
            cores = [t.core[1] for t in tiles(1, side, tile, 0, stride)]
            lengths = [core.stop - core.start for core in cores]
            assert sum(lengths) == side and len(cores) == Canvas(tmp_path, (1, 1, side), tile, 0, stride).count(torch.zeros(2))
            assert len(cores) == -(-side // tile) and max(lengths) <= tile
            assert len(cores) == 1 or (min(lengths) > tile // 2 - stride and max(lengths) - min(lengths) < 2 * stride)
    windows = [t.window for t in tiles(65, 65, 64, 8)]
    assert {part.stop - part.start for window in windows for part in window} == {40, 41}


def test_a_canvas_goes_on_in_its_own_tiles(tmp_path):
    """Whatever size was asked for; an image that was begun in tiles that lie elsewhere is refused in one line."""
    noise, times, seen = GaussianNoise(RectifiedFlow()), uniform_times(1, 0.9), []

    def walk(tile: int) -> None:
        canvas = Canvas(tmp_path, (1, 5, 20), tile, 0)
        canvas.walk(DDIM(), GaussianData(noise).restore, noise, times, on_tile=lambda done, total: seen.append(total))

    walk(9)
    walk(7)  # three cores, the same
    assert seen == [3, 3, 3]
    for notes in ({"cores": [[5], [8, 16, 20]]}, {"tile": 7}):
        found = json.loads((tmp_path / "canvas.json").read_text())
        (tmp_path / "canvas.json").write_text(json.dumps({**found, "cores": None, **notes}))
        with pytest.raises(CanvasError, match="holds another image"):
            walk(7)


def test_random_numbers_by_place():
    """A window's draws are those of the whole; seeds, draws and places differ; the distribution is right."""
    whole = normal((1, 3, 200, 300), Field((5,), 0, 0))
    for top, left, height, width in [(0, 0, 1, 1), (63, 64, 2, 70), (120, 1, 80, 299), (17, 130, 130, 90)]:
        window = normal((1, 3, height, width), Field((5,), top, left))
        assert torch.equal(window, whole[..., top : top + height, left : left + width])
    field = Field((5,), 0, 0)
    first, second = normal((1, 3, 200, 300), field), normal((1, 3, 200, 300), field)
    assert torch.equal(first, whole)
    for other in (second, normal((1, 3, 200, 300), Field((6,), 0, 0))):
        assert abs(float((whole * other).mean())) < 4 / whole.numel() ** 0.5
    assert abs(float(whole.mean())) < 4 / whole.numel() ** 0.5 and abs(float(whole.var()) - 1) < 4 * (2 / whole.numel()) ** 0.5
    blocks = whole[..., :192, :256].unfold(2, 64, 64).unfold(3, 64, 64).reshape(3, 12, -1)
    assert len({tuple(block[:4].tolist()) for block in blocks.flatten(0, 1)}) == 36
    assert float(uniform((1, 1, 70, 70), Field((0,), 3, 3)).min()) >= 0
    with pytest.raises(ValueError, match="lies within its image"):
        Field((0,), -1, 0)


@pytest.mark.parametrize("sampler", [DDIM(), DDPM("small")], ids=str)
@pytest.mark.parametrize(("height", "width", "beyond"), CASES)
def test_a_local_network_in_tiles(sampler, height, width, beyond, local, tmp_path):
    """Within 1e-5 of the walk at once, as a guide and on a canvas."""
    times, shape, tile = uniform_times(4), (3, height, width), HALO + beyond
    expected = at_once(sampler, local, NOISE, shape, times)
    guided = at_once(sampler, tiled(local, tile, HALO, CONFIG.stride), NOISE, shape, times)
    torch.testing.assert_close(guided, expected, rtol=0, atol=1e-5)
    found = walked(tmp_path / "canvas", shape, tile, HALO, CONFIG.stride, sampler, local, NOISE, times)
    torch.testing.assert_close(found, expected.clamp(-1, 1), rtol=0, atol=1e-5)


def test_a_halo_that_is_too_small_shows(local):
    """The check above can fail."""
    times, shape = uniform_times(2), (3, 60, 60)
    expected = at_once(DDIM(), local, NOISE, shape, times)
    wrong = at_once(DDIM(), tiled(local, 24, 4, CONFIG.stride), NOISE, shape, times)
    assert float((wrong - expected).abs().max()) > 1e-3


@pytest.mark.parametrize("sampler", [DDIM(), DDPM("large"), DDIM(0.5), Improved()], ids=str)
def test_content_does_not_depend_on_the_tiles(sampler, tmp_path):
    """Bitwise, for a restorer whose arithmetic is the same for each pixel."""
    noise, times, shape = GaussianNoise(RectifiedFlow()), torch.tensor([0.9, 0.5, 0.2, 0.0], dtype=torch.float64), (1, 100, 130)
    restore = GaussianData(noise).restore
    expected = at_once(sampler, restore, noise, shape, times, seed=3).clamp(-1, 1)
    for tile, halo in [(10, 3), (64, 0), (37, 20), (500, 0)]:
        found = walked(tmp_path / f"{tile}", shape, tile, halo, 1, sampler, restore, noise, times, words=(3,))
        assert torch.equal(found, expected)


def test_an_interrupted_canvas_goes_on(tmp_path):
    """Wherever it stops: in the first step, between two, in the last."""
    noise, times, shape = GaussianNoise(RectifiedFlow()), uniform_times(3, 0.9), (1, 40, 40)
    restore = GaussianData(noise).restore
    settings = (shape, 16, 2, 1, DDPM(), restore, noise, times)
    expected = walked(tmp_path / "whole", *settings)
    for stop in (1, 4, 9, 10, 14, 26):

        def interrupt(done, total, stop=stop):
            assert total == 27
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            walked(tmp_path / f"{stop}", *settings, on_tile=interrupt)
        seen: list[int] = []
        found = walked(tmp_path / f"{stop}", *settings, on_tile=lambda done, total, seen=seen: seen.append(done))
        assert torch.equal(found, expected) and seen[0] == stop // 3 * 3 + 1  # after the last whole row
        assert len(list((tmp_path / f"{stop}").glob("state-*"))) == 1


def test_blended_windows():
    """An average: what all windows agree on stays; across an edge of tiles there is no step."""
    x = torch.rand(2, 3, 50, 60)
    torch.testing.assert_close(blended(lambda x, t: 2 * x, 20, 5)(x, torch.ones(2)), 2 * x)
    calls = iter(range(100))
    steps = blended(lambda x, t: torch.full_like(x, float(next(calls))), 60, 20)(x[:1, :1, :, :], torch.ones(1))
    assert float(steps.diff(dim=-1).abs().max()) < 0.5
    ramp = blended(lambda x, t: torch.full_like(x, float(next(calls) % 2)), 30, 8)(x[:1, :1, :30], torch.ones(1))
    assert float(ramp.diff(dim=-1).abs().max()) < 0.1 and float(ramp.max() - ramp.min()) == 1


def test_what_is_refused(tmp_path, monkeypatch):
    noise, times = GaussianNoise(RectifiedFlow()), uniform_times(2, 0.9)
    restore = GaussianData(noise).restore

    def walk(folder="canvas", shape=(1, 20, 20), tile=8, halo=2, sampler=None, degradation=noise, seed=0, source=""):
        canvas = Canvas(tmp_path / folder, shape, tile, halo, source=source)
        canvas.walk(sampler or DDIM(), restore, degradation, times, (seed,))

    with pytest.raises(CanvasError, match="one-step samplers"):
        walk(sampler=DPMSolver())
    with pytest.raises(CanvasError, match="and Gaussian degradations, got .* GaussianBlur"):
        walk(degradation=GaussianBlur())
    with pytest.raises(ValueError, match="tiles of 8 pixels are smaller than their halo of 9: take tiles of at least 9"):
        walk(halo=9)
    with pytest.raises(ValueError, match="sides, tile and stride are at least 1"):
        walk(shape=(1, 0, 20))
    with pytest.raises(ValueError, match="a seed is an integer from 0"):
        walk(seed=-1)
    assert not (tmp_path / "canvas").exists()
    walk()
    with pytest.raises(CanvasError, match="holds another image"):
        walk(seed=1)
    with pytest.raises(CanvasError, match="holds another image"):
        walk(source="another photograph")
    (tmp_path / "canvas/canvas.json").write_text("{")
    with pytest.raises(CanvasError, match=r"canvas.json is damaged: delete .*canvas to begin anew"):
        walk()
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CanvasError, match=r"20 x 20 pixels take 0\.0 GiB .* are free: choose a smaller size or another disk"):
        walk("other")
    with pytest.raises(ValueError, match="at least 1 pixel"):
        blended(restore, 8, 0)


@pytest.mark.parametrize("done", [0, 2], ids=["to be begun", "to be gone on with"])
@pytest.mark.parametrize("place", ["state-00001.f32", "state-00002.f32", "canvas.json", "canvas.part", ""])
@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "pipe"])
def test_nothing_is_written_through_a_link(kind, place, done, tmp_path):
    """A canvas from a stranger: what lies in the way is replaced, or the walk is refused; no file outside changes."""
    noise, times = GaussianNoise(RectifiedFlow()), uniform_times(2, 0.9)
    canvas, decoy = Canvas(tmp_path / "canvas", (1, 16, 16), 8, 2), tmp_path / "decoy"

    def stop(made: int, total: int) -> None:
        if made > done > 0:
            raise KeyboardInterrupt

    if done:
        with pytest.raises(KeyboardInterrupt):
            canvas.walk(DDIM(), GaussianData(noise).restore, noise, times, on_tile=stop)
    decoy.write_bytes(bytes(4 * 16 * 16))
    path = canvas.folder / place if place else canvas.folder
    discard(path)
    path.parent.mkdir(exist_ok=True)
    {
        "link": lambda: path.symlink_to(decoy if place else tmp_path),
        "dangling": lambda: path.symlink_to(tmp_path / "new"),
        "hard link": lambda: os.link(decoy, path),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()
    before = {path.name for path in tmp_path.iterdir()}
    with suppress(ValueError):
        canvas.walk(DDIM(), GaussianData(noise).restore, noise, times)
        assert len(list(canvas.bands())) == 1
    assert decoy.read_bytes() == bytes(4 * 16 * 16) and {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("notes", ["[]", "{}", '{"done": -1}', '{"done": 10000}', "[" * 50_000, '{"done": "x"}', "9" * 5000])
def test_notes_of_another(notes, tmp_path):
    noise, times = GaussianNoise(RectifiedFlow()), uniform_times(2, 0.9)
    canvas = Canvas(tmp_path / "canvas", (1, 16, 16), 8, 2)
    canvas.walk(DDIM(), GaussianData(noise).restore, noise, times)
    path = canvas.folder / "canvas.json"
    if "done" in notes:
        path.write_text(json.dumps({**json.loads(path.read_text()), **json.loads(notes)}))
    else:
        path.write_text(notes)
    with pytest.raises(CanvasError, match=r"canvas.json is damaged: delete .*canvas to begin anew"):
        canvas.walk(DDIM(), GaussianData(noise).restore, noise, times)


def test_states_are_plain_files(tmp_path):
    canvas = Canvas(tmp_path / "canvas", (1, 9, 11), 8, 0)
    noise = GaussianNoise(RectifiedFlow())
    canvas.walk(DDIM(), GaussianData(noise).restore, noise, uniform_times(1, 0.9))
    state = np.fromfile(tmp_path / "canvas/state-00001.f32", np.float32).reshape(1, 9, 11)
    torch.testing.assert_close(torch.from_numpy(state).clamp(-1, 1), torch.cat(list(canvas.bands()), 1))
    canvas.remove()
    assert not (tmp_path / "canvas").exists()


def test_a_sample_by_place_is_a_sample():
    """`sample` takes a Field like any generator."""
    noise, eps = GaussianNoise(RectifiedFlow()), normal((1, 1, 20, 30), Field((0,), 0, 0))
    start = State(0.9 * eps, Noise(eps))
    one, two = (
        sample(DDPM(), GaussianData(noise).restore, noise, start, uniform_times(3, 0.9), generator=Field((1,), 0, 0))
        for _ in range(2)
    )
    assert torch.equal(one, two)
