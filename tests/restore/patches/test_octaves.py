"""What is coarse in fine scales is made of the photograph's patches too (restore/patches/octaves.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from degrade import GaussianNoise, RectifiedFlow
from restore import closed_form
from restore.evaluation.patches import Keys, patches
from restore.patches.octaves import SEVERITY, factors, mended, reduced
from restore.patches.scale import ScaleRestorer
from restore.patches.settings import ORDINARY
from samplers import enlarge

SIZE = (104, 120)
AT = torch.tensor([0.1])
"""A severity at which estimates are mended."""


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Smooth forms with edges and texture (3, H, W)."""
    forms = torch.randn(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    return (enlarge(forms.clamp(-1, 1), SIZE) * 3).tanh()[0]


def test_what_a_restorer_leaves_is_left() -> None:
    x = torch.randn(2, 3, 45, 62)
    torch.testing.assert_close(mended(x, 4, lambda u, t: u / (1 - SEVERITY)), x)


def test_octaves_of_pictures_that_are_large_enough() -> None:
    assert [factors(2, size) for size in ((30, 400), (60, 80), (188, 250))] == [[], [2], [4, 2]]
    assert factors(0, (188, 250)) == []


@pytest.mark.parametrize("factor", [2, 4])
def test_reductions_of_windows_are_windows(factor: int) -> None:
    x = torch.rand(1, 3, 66, 75)
    whole, part = reduced(x, factor), reduced(x[..., 8:48, 16:], factor)
    assert whole.shape[2:] == (-(-66 // factor), -(-75 // factor))
    inner = part[..., 2:-2, 2:]
    top, left = 8 // factor + 2, 16 // factor + 2
    torch.testing.assert_close(inner, whole[..., top : top + inner.shape[2], left : left + inner.shape[3]])


def test_estimates_in_windows_are_those_of_the_whole(photograph: Tensor) -> None:
    """As large pictures are made: within `reach` of a window's edge they may differ, beyond it they do not."""
    settings = replace(ORDINARY.local(), border=0.0, detail=5, side=7, octaves=1, neighbours=10**6)
    reach, grid = settings.reach, settings.grid
    wide = enlarge(torch.rand(1, 3, 12, 20), (104, 168))
    restore = ScaleRestorer(photograph, GaussianNoise(RectifiedFlow()), settings, (104, 168))
    whole = restore(wide, AT)
    left = 4 * grid
    part = restore(wide[..., left:], AT)
    torch.testing.assert_close(part[..., reach:], whole[..., left + reach :], atol=1e-4, rtol=0)
    assert not torch.allclose(part[..., :8], whole[..., left : left + 8], atol=1e-3)  # a check that can fail


def test_forms_come_nearer_to_the_photographs(photograph: Tensor) -> None:
    """A photograph whose forms are soft, with its texture: what is reduced by 4 gets nearer to the photograph's patches."""
    soft = enlarge(enlarge(photograph[None], (13, 15)), SIZE)
    keys = Keys(patches(reduced(photograph[None], 4)[0], 7))
    distance = {}
    for octaves in (0, 2):
        settings = replace(ORDINARY, directions=0, octaves=octaves)
        x0 = ScaleRestorer(photograph, GaussianNoise(RectifiedFlow()), settings, SIZE)(0.9 * soft, AT)
        distance[octaves] = float(keys.nearest(patches(reduced(x0, 4)[0], 7))[0].mean())
    assert distance[2] < 0.8 * distance[0]


def test_nothing_of_a_hole_comes_back(photograph: Tensor) -> None:
    hole = torch.zeros(1, *SIZE)
    hole[:, 40:70, 50:80] = 1
    marked = torch.where(hole > 0, torch.tensor([5.0, -5.0, 5.0])[:, None, None], photograph)
    x0 = ScaleRestorer(marked, GaussianNoise(RectifiedFlow()), ORDINARY.local(), SIZE, hole > 0)(0.9 * photograph[None], AT)
    assert float(x0.abs().max()) < 1.5


def test_a_panorama_is_balanced_where_it_is_made_in_one_piece(photograph: Tensor) -> None:
    scales = closed_form(photograph).spanning((104, 480)).scales((104, 480))
    whole = [scale.whole for scale in scales]
    assert whole[0] and not whole[-1] and whole == sorted(whole, reverse=True)
