from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from degrade import seeded
from recipes import instant
from recipes.instant import Instant
from restore import Edit, PatchSettings, closed_form, load_image, save_image
from restore.evaluation.single_image import Judge
from restore.filling import filled
from restore.patches.settings import dialled
from restore.pipelines.editing import known_guide, layout_guide, on_canvas
from samplers import seamless, symmetric
from tests.commands import command

QUICK = PatchSettings(side=5, coarsest=12, neighbours=100)


def generate(picture, size=None, count=1, settings=QUICK, seed=0, steps=2, **edit) -> torch.Tensor:
    pipeline = closed_form(picture, settings=settings).using(steps=steps)
    return pipeline.generate(size, count, seed, edit=Edit(**edit), progress=False)


@pytest.fixture
def picture(photo) -> torch.Tensor:
    return load_image(photo)


def test_images_are_made_of_the_photographs_patches(picture):
    made = generate(picture, count=2)
    assert made.shape == (2, 3, 40, 56) and made.abs().max() <= 1 and not torch.equal(made[0], made[1])
    noise = torch.rand(3, 40, 56, generator=torch.Generator().manual_seed(0)) * 2 - 1
    judge = Judge(picture)
    assert judge.coherence(made[0]) < 0.65 * judge.coherence(noise)


def test_an_image_has_its_own_seed(picture):
    """To a quarter of an 8-bit level: sums over neighbours are rounded differently in another batch."""
    together, alone = generate(picture, count=3, seed=4), generate(picture, seed=6)
    torch.testing.assert_close(together[2:], alone, rtol=0, atol=2e-3)


def test_any_size_and_retargeting(picture):
    assert generate(picture, (30, 90)).shape == (1, 3, 30, 90)
    assert generate(picture, (70, 40), begin=picture, severity=0.8).shape == (1, 3, 70, 40)


def test_outpainting_keeps_the_photograph(picture):
    known, mask = on_canvas(picture, (60, 80))
    assert mask.sum() == 40 * 56 and torch.equal(known[:, 10:50, 12:68], picture)
    made = generate(picture, (60, 80), guides=[known_guide(known, mask)])
    assert (made[0, :, 10:50, 12:68] - picture).abs().max() < 1e-4


def test_symmetric_and_tileable(picture):
    made = generate(picture, guides=[lambda restore, _: symmetric(restore, "left-right")])
    torch.testing.assert_close(made, made.flip(-1), rtol=0, atol=1e-6)
    tile = generate(picture, guides=[lambda restore, _: seamless(restore, 5)])[0]
    seam = (tile[..., 0] - tile[..., -1]).abs().mean()
    inner = (tile[..., 1:] - tile[..., :-1]).abs().mean()
    assert seam < 2 * inner + 0.02


def test_structure(picture):
    """The layout of a dark and a bright half is taken over."""
    layout = torch.cat([-torch.ones(3, 40, 28), torch.ones(3, 40, 28)], -1)
    made = generate(picture, guides=[layout_guide(layout)])[0]
    assert made[..., 32:].mean() > made[..., :24].mean() + 0.3


def pictures(height: int, width: int) -> dict[str, torch.Tensor]:
    """Pictures (3, H, W) that have little in them, and ordinary ones."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    noise = torch.rand(3, height, width, generator=seeded(height + width)) * 2 - 1
    ordinary = (torch.sin(9 * x) * torch.cos(7 * y) + 0.3 * noise).clamp(-1, 1)
    point = torch.zeros(height, width)
    point[height // 3, width // 3] = 1
    return {
        "black": torch.full_like(noise, -1),
        "white": torch.ones_like(noise),
        "grey": torch.full_like(noise, 0.1),
        "coloured": torch.tensor([0.8, -0.3, 0.1])[:, None, None].expand_as(noise),
        "halves": x.sign().expand_as(noise),
        "rows": y.sign().expand_as(noise),
        "checks": ((torch.arange(height)[:, None] + torch.arange(width)) % 2 * 2 - 1.0).expand_as(noise),
        "letterboxed": torch.where(y.abs() > 0.6, -1, ordinary),
        "framed": torch.where(torch.maximum(x.abs(), y.abs()) > 0.7, 1, ordinary),
        "pixel": (2 * point - 1).expand_as(noise),
        "gradient": x.expand_as(noise),
        "faint": 1e-4 * noise,
        "noise": noise,
        "ordinary": ordinary,
    }


@pytest.mark.parametrize("size", [(12, 12), (12, 17), (12, 240), (60, 12), (13, 40), (20, 24), (31, 23)], ids=str)
@pytest.mark.parametrize("kind", pictures(12, 12))
def test_any_picture_gives_pictures(kind, size):
    """Finite and within the photograph's range; one colour stays that colour."""
    photograph = pictures(*size)[kind]
    made = generate(photograph, settings=replace(QUICK, neighbours=30), steps=1)
    assert made.shape == (1, 3, *size) and bool(made.isfinite().all())
    for channel, original in zip(made[0], photograph, strict=True):
        assert original.min() - 1e-4 <= channel.min() and channel.max() <= original.max() + 1e-4


@pytest.mark.parametrize("size", [(12, 240), (12, 13), (240, 12), (11, 30), (24, 24), (27, 50), (40, 36), (64, 20)], ids=str)
@pytest.mark.parametrize("kind", pictures(12, 12))
def test_default_settings_on_small_pictures(kind, size):
    """A photograph of one patch in height, at 1:20 too: numbers, in range."""
    made = generate(pictures(*size)[kind], settings=PatchSettings(), steps=1)
    assert made.shape == (1, 3, *size) and bool(made.isfinite().all()) and float(made.abs().max()) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 0}, r"side lies in \[1, 64\], got 0"),
        ({"side": 65}, r"side lies in \[1, 64\], got 65"),
        ({"width": 1e-9}, r"width lies in \[0.01, 10\], got 1e-09"),
        ({"width": math.nan}, r"width lies in \[0.01, 10\], got nan"),
        ({"width": -1.0}, r"width lies in \[0.01, 10\], got -1"),
        ({"width": math.inf}, r"width lies in \[0.01, 10\], got inf"),
        ({"stride": 0}, r"stride lies in \[1, side = 11\], got 0"),
        ({"stride": 50}, r"stride lies in \[1, side = 11\], got 50: pixels between patches would be left out"),
        ({"neighbours": 0}, r"neighbours of PatchSettings is 1 to "),
        ({"coarsest": -5}, r"coarsest of PatchSettings is 1 to "),
        ({"coarsest": 10**400}, r"coarsest of PatchSettings is 1 to "),
        ({"factor": 0.0}, r"factor in \(0, 1\), got .* and 0"),
        ({"factor": 1.0}, r"factor in \(0, 1\), got .* and 1"),
        ({"factor": math.nan}, r"factor in \(0, 1\), got .* and nan"),
        ({"noise": 0.0}, r"noise lies in \(0.02, 1\] .*, got 0"),
        ({"noise": math.nan}, r"noise lies in \(0.02, 1\] .*, got nan"),
    ],
    ids=str,
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        PatchSettings(**settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: generate(x, count=0), "count, batch, height and width are at least 1"),
        (lambda x: generate(x, (8, 50), settings=PatchSettings()), "pixels hold no patch of 11 a side"),
        (lambda x: on_canvas(x, (20, 90)), "size of at least the picture's 40x56"),
        (lambda x: generate(x, severity=0.0), "severity lies in"),
    ],
)
def test_bad_input(call, message, picture):
    with pytest.raises(ValueError, match=message):
        call(picture)


def test_command_line(photo, tmp_path):
    flags = ["--settings.side", "5", "--settings.neighbours", "50", "--steps", "2", "--count", "2", "--seed", "3"]
    result = command(photo, *flags, "--film", "walk.webp", cwd=tmp_path, recipe="instant")
    assert result.returncode == 0, result.stderr
    figures = ("coherence", "completeness", "swd", "copied", "copied_near", "diversity")
    assert re.search(" +".join(rf"{name} \d\.\d{{4}}" for name in figures), result.stdout)
    assert {path.name for path in (tmp_path / "runs/photo-instant").iterdir()} == {
        "grid.png",
        "40x56-seed-3.png",
        "40x56-seed-4.png",
    }
    with Image.open(tmp_path / "walk.webp") as film:
        assert film.size == (4 + 3 * 60, 4 + 44) and film.n_frames > 5
    with pytest.raises(ValueError, match=r"grid\.png is where an image goes: --film names another file"):
        instant.main([str(photo), "--film", str(tmp_path / "o/grid.png"), "--out", str(tmp_path / "o")])
    result = command(photo, *flags, "--tileable", "--no-judge", "--out", "tiles", cwd=tmp_path, recipe="instant")
    assert result.returncode == 0 and load_image(tmp_path / "tiles/40x56-seed-3-2x2.png").shape == (3, 80, 112)


def test_a_strip_has_the_figures_that_it_can_have(picture, tmp_path, capsys):
    """12 pixels high: no patch of 15 could be copied. The pictures are no failure for it."""
    strip = save_image(picture[:, :12], tmp_path / "strip.png")
    Instant(strip, count=1, steps=1, out=tmp_path / "made")()
    figures = capsys.readouterr().out
    assert "coherence" in figures and "copied" not in figures and (tmp_path / "made/12x56-seed-0.png").exists()


def test_copies_are_named(photo, tmp_path, capsys):
    """A small photograph has few layouts: what says so, and how to leave it, unless that was asked for."""
    Instant(photo, count=1, steps=1, detail=32, out=tmp_path / "a")()
    assert "nearly copies of the photograph: --novelty .6" in capsys.readouterr().out
    Instant(photo, count=1, steps=1, detail=32, novelty=0.0, out=tmp_path / "b")()
    assert "nearly copies" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.jpg"], "none.jpg does not exist"),
        (["{photo}", "--size", "8x8"], "pixels hold no patch of 11 a side"),
        (["{photo}", "--sise"], "sise"),
        (["{photo}", "--settings.width", "1e-9"], "width lies in [0.01, 10], got 1e-09."),
    ],
)
def test_bad_command_line(args, message, photo, tmp_path):
    result = command(*(arg.format(photo=photo) for arg in args), cwd=tmp_path, recipe="instant")
    assert result.returncode != 0 and message in result.stderr + result.stdout and "Traceback" not in result.stderr


def test_filled_in(picture):
    """What is known stays, what is not lies within its range, and near it is like it."""
    mask = torch.zeros(1, 40, 56)
    mask[:, 10:31, 13:40] = 1
    found = filled((picture * mask)[None], mask[None])[0]
    assert torch.equal(found * mask, picture * mask) and found.abs().max() <= 1
    left = (found[:, 10:31, 11:13].mean() - picture[:, 10:31, 13:17].mean()).abs()
    assert left < 0.2 and torch.equal(filled(picture[None], torch.ones(1, 1, 40, 56))[0], picture)


def test_spanning_patches_keep_the_layout(picture):
    """The coarsest scale is as high as a patch and one pixel, for wide images and for the photograph's own shape."""
    for side in (40, 47, 300):
        levels = PatchSettings().spanning(side).levels((side, 3 * side), (side, 2 * side))
        assert levels[0] == (12, 36) and levels[-1] == (side, 3 * side)
        assert all(0.6 < a[0] / b[0] < 0.9 for a, b in itertools.pairwise(levels))
    assert PatchSettings().spanning(12) == PatchSettings()


def test_what_lies_at_the_edge_goes_on(picture):
    """A photograph with six rows of sky has patches of eleven that are all sky only if it is continued."""
    striped = 0.2 * picture - 0.6
    striped[:, :6] = 0.9
    known, mask = on_canvas(striped, (100, 56))
    by_hand = {"begin": filled(known[None], mask[None])[0], "severity": 0.6, "guides": [known_guide(known, mask)]}
    plain, continued = (
        generate(striped, (100, 56), settings=PatchSettings(coarsest=40), steps=6, **edit)[0, :, :30]
        for edit in (by_hand, {"known": (known, mask)})
    )
    assert float(continued.min()) > 0.8 and float(plain.mean()) < 0.7


@pytest.fixture
def stripes() -> torch.Tensor:
    """Upright stripes over level ones of the same colours (3, 48, 48)."""
    stripe = 0.6 * torch.sin(torch.arange(48) * torch.pi / 3)
    return torch.cat([stripe.expand(1, 24, 48), stripe[:24, None].expand(1, 24, 48)], 1).expand(3, 48, 48)


def upright_over_level(x: torch.Tensor, rows: int) -> bool:
    """Whether the first rows of x (C, H, W) have upright stripes, and the last ones level ones."""

    def upright(part: torch.Tensor) -> float:
        along, down = (part.diff(dim=dim).square().mean() for dim in (-1, -2))
        return float(along / (along + down))

    return upright(x[:, :rows]) > 0.8 and upright(x[:, -rows:]) < 0.2


@pytest.mark.parametrize(("border", "holds"), [(1.0, True), (0.0, False)])
def test_above_a_picture_is_what_is_above_in_it(stripes, border, holds):
    """Whatever the seed; where it does not count how high up patches lie, either kind lies anywhere."""
    known = on_canvas(stripes, (96, 72))
    made = generate(stripes, (96, 72), count=2, settings=replace(QUICK, border=border), steps=4, known=known)
    assert all(upright_over_level(x, 20) == holds for x in made)


@pytest.mark.parametrize("balanced", [4500, 0])
@pytest.mark.parametrize(("upright", "holds"), [(1.0, True), (0.0, False)])
def test_a_scene_stays_upright(stripes, upright, holds, balanced):
    """Also where the coarsest scale has too many patches to be balanced, as that of a wide image."""
    free = replace(QUICK, coarsest=30, border=0.0, upright=upright, balanced=balanced)
    made = generate(stripes, (48, 80), count=2, settings=free, steps=4)
    assert all(upright_over_level(x, 12) == holds for x in made)


def test_nothing_is_known(stripes):
    """A mask of zeros is no picture that goes on."""
    made = generate(stripes, (48, 60), known=(torch.zeros(3, 48, 60), torch.zeros(1, 48, 60)))
    assert bool(made.isfinite().all())


def test_novelty():
    """From near the photograph to rearranged: coarser beginnings, edges that count less; presets are places on the dial."""
    dial = [dialled(novelty / 8) for novelty in range(9)]
    assert dial[2] == PatchSettings()
    assert all(a.coarsest < b.coarsest and a.border > b.border for a, b in itertools.pairwise(dial))
    assert dialled(0.5, QUICK) == replace(QUICK, coarsest=24, border=0.5, noise=0.55)
    assert dialled(0.75).upright == 1 and dialled(0.75, scene=False) == replace(dialled(0.75), upright=0)
    assert Instant(Path("x.png"), settings=QUICK).arranged() == QUICK
    assert Instant(Path("x.png"), preset="texture").arranged() == dialled(0.75, scene=False)
    with pytest.raises(ValueError, match=r"novelty lies in \[0, 1\], .* got nan"):
        dialled(math.nan)


def test_layout_is_kept_near_the_photograph(picture):
    """Of the same seed: what lies further from the photograph, pixel by pixel, is freer."""
    near, free = (generate(picture, settings=dialled(novelty, QUICK), steps=4)[0] for novelty in (0.0, 1.0))
    assert (near - picture).abs().mean() < 0.5 * (free - picture).abs().mean()
