"""Where patches lie."""

from __future__ import annotations

import torch

from restore.patches.places import EDGES, EVEN, Height


def test_how_near_an_edge():
    near = EDGES.asked((7, 9), 3, 2).reshape(3, 4, 4)
    assert near[0, 0].tolist() == [1, 0, 1, 0] and near[2, 3].tolist() == [0, 1, 0, 1]
    torch.testing.assert_close(near[1, 1], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0]))
    assert torch.equal(EDGES.known((7, 9), 3), EDGES.asked((7, 9), 3, 1))


def test_how_far_down_the_photograph():
    """An image of 40 rows, of which the photograph has those from 10 on to 30: within, its own; beyond, its first and last."""
    height = Height(0.25, 0.75)
    known = height.known((20, 6), 5).reshape(16, 2)
    asked = height.asked((40, 6), 5, 1).reshape(36, 2)
    torch.testing.assert_close(asked[10:26], known)
    assert bool((asked[:10] == known[0]).all()) and bool((asked[26:] == known[-1]).all())
    torch.testing.assert_close(known[[0, -1], 0], torch.tensor([EVEN, 1 - EVEN]))
    assert bool((known.diff(dim=0) >= 0).all())
