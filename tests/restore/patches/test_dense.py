from __future__ import annotations

import pytest
import torch

from degrade import seeded
from restore.patches.bank import Bank
from restore.patches.dense import Dense


@pytest.mark.parametrize(("std", "error"), [(1.0, 2e-3), (0.2, 5e-3), (0.05, 5e-4), (0.011, 5e-4), (0.0, 1e-5)])
def test_dense_is_the_exact_posterior(std, error, monkeypatch):
    """Values in [-1, 1]; several blocks; values that differ from the keys, in number too."""
    keys = torch.rand(300, 147, generator=seeded(0)) * 2 - 1
    values = torch.rand(300, 31, generator=seeded(1)) * 2 - 1
    gain = 1 - std / 2
    queries = gain * keys[:64] + std * torch.randn(64, 147, generator=seeded(2))
    exact = Bank(keys, values, None).mean(queries, gain, std)
    monkeypatch.setattr("restore.patches.dense.LOGITS", 300 * 10)
    dense = Dense(keys, values)
    torch.testing.assert_close(dense.mean(queries, gain, std), exact, rtol=0, atol=error)
    torch.testing.assert_close(dense.mean_value, values.mean(0))


@pytest.mark.parametrize(("gain", "std", "error"), [(0.5, 0.5, 2e-2), (0.9, 0.09, 5e-2)])
def test_gradients_are_those_of_the_exact_posterior(gain, std, error):
    keys = torch.rand(50, 30, generator=seeded(0))
    found = []
    for bank in (Bank(keys, keys, None), Dense(keys, keys)):
        queries = (gain * keys[:20] + std * torch.randn(20, 30, generator=seeded(1))).requires_grad_()
        bank.mean(queries, gain, std).square().sum().backward()
        found.append(queries.grad)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=error)


def test_queries_far_away_do_not_overflow():
    keys = torch.rand(50, 147, generator=seeded(0)) * 2 - 1
    queries = 60 * torch.randn(20, 147, generator=seeded(1))
    assert bool(Dense(keys, keys).mean(queries, 0.98, 0.02).isfinite().all())
