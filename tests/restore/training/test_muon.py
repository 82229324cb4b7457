from __future__ import annotations

import pytest
import torch

from restore.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (32, 32)])
def test_muon_takes_steps_in_orthogonal_directions(shape):
    """Singular values of the update lie in .6 to 1.3 (the iteration's own band), with the directions of the gradient; the size
    of the step is rate .2 sqrt(max side)."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(shape, generator=generator)
    u, s, v = torch.linalg.svd(orthogonal([g])[0], full_matrices=False)
    expected_u, _, expected_v = torch.linalg.svd(g, full_matrices=False)
    assert s.min() > 0.6 and s.max() < 1.3
    assert float((u @ v * (expected_u @ expected_v)).sum()) > 0.97 * min(shape)
    weight, vector = torch.nn.Parameter(torch.zeros(*shape, 1, 1)), torch.nn.Parameter(torch.zeros(7))
    optimizer = Muon([weight, vector], lr=0.1, weight_decay=0.0)
    optimizer.state[weight] = {"momentum": torch.zeros_like(weight)}
    weight.grad, vector.grad = g.clone().view_as(weight), torch.ones(7)
    optimizer.step()
    torch.testing.assert_close(weight.detach().flatten(1), -0.1 * 0.2 * max(shape) ** 0.5 * orthogonal([g])[0])
    torch.testing.assert_close(vector.detach(), torch.full((7,), -0.1))
