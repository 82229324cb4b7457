from __future__ import annotations

import pytest
import torch

from degrade import seeded
from restore.patches.bank import Bank
from restore.patches.clusters import clustered


def points(name: str) -> torch.Tensor:
    """400 keys (400, 30)."""
    if name == "flat":
        return torch.full((400, 30), 0.3)
    some = torch.rand(400, 30, generator=seeded(0)) * 2 - 1
    if name == "three":
        return some[torch.tensor([0] * 100 + [1] * 250 + [2] * 50)]
    if name == "bars":
        return torch.cat([torch.full((200, 30), -1.0), some[200:]])
    return some


@pytest.mark.parametrize("name", ["flat", "three", "bars", "random"])
def test_clusters_are_neither_empty_nor_large(name):
    """Of 400 keys: each in one cluster of at most 2 sqrt(400) = 40; what sorts keys sorts clusters."""
    clusters = clustered(points(name))
    assert clusters.order.sort().values.equal(torch.arange(400))
    assert clusters.counts.min() >= 1 and clusters.counts.max() <= 40 and clusters.counts.sum() == 400
    means, rest = clusters.centred(torch.ones(400))
    assert means.equal(torch.ones(len(clusters.counts))) and not bool(rest.any())


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.05, 0.0])
@pytest.mark.parametrize("name", ["flat", "three"])
def test_clusters_of_equal_keys_are_exact(name, gain):
    """A cluster as one key is then no approximation: every key counts once, met or not; values differ from keys."""
    keys = points(name)
    values = keys.flip(1) + 2
    queries = gain * keys[::10] + (1 - gain) * torch.randn(40, 30, generator=seeded(1))
    exact, fast = (Bank(keys, values, neighbours).mean(queries, gain, 1.01 - gain) for neighbours in (None, 30))
    torch.testing.assert_close(fast, exact, rtol=0, atol=1e-5)


def test_gradients_of_clusters_are_those_of_all_keys():
    keys = points("three")
    found = []
    for neighbours in (None, 30):
        queries = torch.randn(20, 30, generator=seeded(1)).requires_grad_()
        Bank(keys, keys, neighbours).mean(queries, 0.5, 1.0).square().sum().backward()
        found.append(queries.grad)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)


def test_without_a_signal_the_mean_of_all_values_is_left():
    keys = points("random")
    values = torch.rand(400, 7, generator=seeded(2))
    found = Bank(keys, values, 30).mean(torch.randn(5, 30, generator=seeded(3)), 0.0, 1.0)
    torch.testing.assert_close(found, values.mean(0).expand(5, 7), rtol=0, atol=1e-5)


@pytest.mark.parametrize("neighbours", [1, 2, 3, 39, 40, 380, 399, 400])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 40])
def test_any_number_of_keys_and_neighbours(count, neighbours):
    """A key without noise finds itself."""
    keys = points("random")[:count]
    found = Bank(keys, keys, neighbours).mean(keys, 1.0, 0.0)
    torch.testing.assert_close(found, keys, rtol=0, atol=1e-5)
