"""Holes of large pictures are filled at the picture's own size: nothing else changes by a bit, and detail is that around."""

from __future__ import annotations

import pytest
import torch

from restore import closed_form
from restore.patches.sources import BLOCK, Sources
from restore.pipelines.native import inpaint, reduced, windows
from samplers import enlarge


def textured(height: int, width: int) -> torch.Tensor:
    """Left smooth and dark, right fine bright stripes (3, H, W)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    stripes = 0.5 + 0.4 * torch.sin(1.9 * (x + y))
    return torch.where(x < width // 2, -0.5 + 0.2 * (y / height), stripes).expand(3, -1, -1).contiguous()


def hole(height: int, width: int, *boxes: tuple[slice, slice]) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    for box in boxes:
        mask[(..., *box)] = 1
    return mask


def small(picture: torch.Tensor, detail: int):
    height, width = picture.shape[1:]
    share = detail / max(height, width)
    return closed_form(enlarge(picture[None], (round(share * height), round(share * width)))[0]).using(steps=2)


@pytest.mark.parametrize("own", [True, False])
def test_detail_comes_back(own):
    """Where stripes of 3.3 pixels were cut out: of the picture's own pieces, and laid out at a third of its size."""
    picture = textured(120, 180)
    mask = hole(120, 180, (slice(45, 75), slice(115, 155)))
    made = inpaint(small(picture, 60), picture, mask, own=own)
    assert torch.equal(made * (1 - mask), picture * (1 - mask))
    inside, around = made[:, 50:70, 120:150], picture[:, 50:70, 156:176]
    blurred = enlarge(enlarge(picture[None], (40, 60)), (120, 180))[0, :, 50:70, 120:150]
    assert float(inside.std()) > 0.6 * float(around.std()) > 3 * float(blurred.std())


@pytest.mark.parametrize("soft", [0, 6])
def test_only_the_hole_changes(soft):
    """A scratch over the whole picture, and a hole at its border; with soft edges as many pixels beside them."""
    picture = textured(96, 130)
    mask = hole(96, 130, *[(slice(i, i + 2), slice(i, i + 3)) for i in range(94)], (slice(70, 96), slice(100, 130)))
    made = inpaint(small(picture, 64), picture, mask, soft=soft)
    beside = torch.nn.functional.max_pool2d(mask[None], 2 * (soft + 2) + 1, 1, soft + 2)[0] if soft else mask
    assert torch.equal(made * (1 - beside), picture * (1 - beside))
    assert bool(((made != picture) & (mask > 0)).any(0)[mask[0] > 0].float().mean() > 0.9) and bool(made.isfinite().all())


def test_windows():
    """Holes far apart have one each, of `least` pixels or twice the hole's and more; near ones share one."""
    mask = hole(
        1000, 2000, (slice(0, 20), slice(0, 30)), (slice(900, 910), slice(1000, 1300)), (slice(940, 950), slice(1400, 1410))
    )
    first, second = windows(mask, 250)
    assert first == (slice(0, 250), slice(0, 250))
    assert second[1].start <= 700 and second[1].stop >= 1600 and second[0].stop == 1000
    assert windows(hole(40, 50, (slice(3, 9), slice(3, 9))), 250) == [(slice(0, 40), slice(0, 50))]


def test_what_is_in_a_hole_mixes_with_nothing():
    picture, mask = torch.full((3, 64, 64), 0.25), hole(64, 64, (slice(20, 41), slice(20, 41)))
    known, missing = reduced(torch.where(mask > 0, torch.tensor(-1.0), picture), mask, (16, 16))
    assert float((known - 0.25).abs().mul(1 - missing).max()) < 1e-5 and 25 <= int(missing.sum()) <= 100


def test_sources_are_known_and_alike():
    """For a hole among stripes, blocks of stripes."""
    picture, mask = textured(320, 640), hole(320, 640, (slice(100, 180), slice(400, 480)))
    places = Sources(picture, mask).blocks((slice(76, 204), slice(376, 504)))
    assert places and all(columns.start >= 320 - BLOCK for _, columns in places)
    assert all(float(mask[(..., *place)].mean()) <= 0.5 for place in places)


def test_bad_input():
    picture = textured(64, 64)
    with pytest.raises(ValueError, match=r"a picture \(C, H, W\) and its hole \(1, H, W\)"):
        inpaint(small(picture, 32), picture, torch.zeros(1, 32, 32))
    with pytest.raises(ValueError, match="nothing to make it from"):
        inpaint(small(picture, 32), picture, torch.ones(1, 64, 64))
