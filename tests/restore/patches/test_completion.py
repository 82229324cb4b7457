"""Holes filled with pieces of what is around them: as sharp as that, of what is known only, other pieces from another seed."""

from __future__ import annotations

import pytest
import torch

from restore.patches.completion import completed, depth


def tiled(height: int, width: int) -> torch.Tensor:
    """A pattern of 12 x 12 random pixels, again and again (3, H, W)."""
    pattern = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(3)) * 1.6 - 0.8
    return pattern.repeat(1, height // 12 + 1, width // 12 + 1)[:, :height, :width]


def rough(height: int, width: int) -> torch.Tensor:
    """Noise of two sizes (3, H, W)."""
    generator = torch.Generator().manual_seed(1)
    fine, coarse = (
        torch.randn(3, height, width, generator=generator),
        torch.randn(1, 3, height // 8, width // 8, generator=generator),
    )
    return (0.15 * fine + 0.25 * torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0]).clamp(-1, 1)


def box(height: int, width: int, rows: slice, columns: slice) -> torch.Tensor:
    hole = torch.zeros(1, height, width)
    hole[:, rows, columns] = 1
    return hole


def energy(x: torch.Tensor) -> float:
    return float(x.diff(dim=1).square().mean() + x.diff(dim=2).square().mean())


def test_a_pattern_goes_on():
    """Pixel by pixel, though it is made at several scales."""
    picture, hole = tiled(96, 120), box(96, 120, slice(40, 66), slice(50, 80))
    made = completed(picture, hole)
    assert float((made - picture).abs().amax(0)[hole[0] > 0].gt(0.05).float().mean()) < 0.05


def test_it_is_as_sharp_as_what_is_around():
    picture, hole = rough(120, 160), box(120, 160, slice(40, 80), slice(60, 110))
    made = completed(picture, hole)
    assert 0.6 < energy(made[:, 44:76, 64:106]) / energy(picture) < 1.2
    assert torch.equal(made * (1 - hole), picture * (1 - hole))


def test_seeds_differ_and_what_was_there_does_not_matter():
    picture, hole = rough(64, 80), box(64, 80, slice(0, 24), slice(30, 60))  # at the border
    made = completed(picture, hole, seed=1)
    assert torch.equal(made, completed(torch.where(hole > 0, 1.0, picture), hole, seed=1))
    assert float((made - completed(picture, hole, seed=2)).abs().mul(hole).mean()) > 0.01


def test_depth():
    assert depth(box(60, 80, slice(10, 14), slice(0, 80))) == 2
    assert depth(box(60, 80, slice(10, 31), slice(20, 60))) == 11


def test_bad_input():
    with pytest.raises(ValueError, match="no 9 x 9 pixels of the picture are outside of what is made anew"):
        completed(torch.zeros(3, 20, 20), box(20, 20, slice(6, 14), slice(0, 20)))
