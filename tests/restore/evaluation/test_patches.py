from __future__ import annotations

import pytest
import torch

from degrade.random import seeded
from restore.evaluation import patches
from restore.evaluation.patches import Keys, octaves, thinned


@pytest.mark.parametrize("keys", [1, 63, 64, 65, 333])
@pytest.mark.parametrize("largest", [1, 2**25])
def test_nearest_equals_brute_force(keys, largest, monkeypatch):
    """For any number of keys, in few blocks or many."""
    monkeypatch.setattr(patches, "LARGEST_BLOCK", largest)
    query, key = (torch.rand(n, 12, generator=seeded(n)) for n in (50, keys))
    distance, index = Keys(key).nearest(query)
    brute = (query[:, None] - key).square().mean(-1).sqrt().min(1)
    torch.testing.assert_close(distance, brute.values)
    assert torch.equal(index, brute.indices)


def test_the_first_of_equals_is_the_nearest():
    key = torch.zeros(200, 3)
    assert Keys(key).nearest(torch.rand(9, 3, generator=seeded(0)))[1].eq(0).all()
    key[150:] = 1.0
    assert Keys(key).nearest(torch.full((9, 3), 0.9))[1].eq(150).all()


def test_rows_of_patches():
    x = torch.arange(2 * 5 * 6).reshape(2, 5, 6) / 30 - 1
    rows = patches.patches(x, 3, stride=2)
    assert rows.shape == (4, 18)
    torch.testing.assert_close(rows[1], (x[:, :3, 2:5].flatten() + 1) / 2)


SIDES = [((64, 40), [40, 20]), ((56, 70), [56, 28, 14]), ((20, 99), [20]), ((300, 300), [300, 150, 75])]


@pytest.mark.parametrize(("size", "sides"), SIDES, ids=str)
def test_octaves_end_where_a_patch_takes_up_more_than_half_a_side(size, sides):
    assert [min(x.shape[1:]) for x in octaves(torch.zeros(3, *size), 7)] == sides


def test_thinned_rows_are_spread_evenly():
    rows = torch.arange(11)[:, None]
    assert thinned(rows, 3).flatten().tolist() == [0, 5, 10] and torch.equal(thinned(rows, 20), rows)
