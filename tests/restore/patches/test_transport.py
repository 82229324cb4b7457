"""Entropic optimal transport between patches."""

from __future__ import annotations

import pytest
import torch

from degrade import seeded
from restore.patches.sliced import SIDE, SlicedMatch
from restore.patches.transport import Transport


def points(count, seed, dims=6):
    return torch.randn(count, dims, generator=seeded(seed))


def sinkhorn(queries, keys, gain, std, iterations=5000):
    """The plan in the log domain, in float64, until it no longer changes; rows sum to 1."""
    cost = torch.cdist(queries.double(), gain * keys.double()).square() / (2 * std**2)
    f, g = torch.zeros(len(queries), dtype=torch.float64), torch.zeros(len(keys), dtype=torch.float64)
    for _ in range(iterations):
        f = -(g - cost).logsumexp(1)
        g = torch.tensor(len(queries) / len(keys)).log() - (f[:, None] - cost).logsumexp(0)
    return ((f[:, None] + g - cost).softmax(1)).float()


@pytest.mark.parametrize("std", [2.0, 1.0, 0.5])
def test_the_plan_is_the_one_of_optimal_transport(std):
    """To 2% of the mean value's spread: a few half-steps at each width do not go to the end."""
    queries, keys = 0.7 * points(40, 1) + 0.2, points(30, 2)
    found, exact = (Transport(keys, keys).plan(queries, 0.7, std), sinkhorn(queries, keys, 0.7, std))
    assert float((found @ keys - exact @ keys).square().mean().sqrt()) < 0.02
    torch.testing.assert_close(found.sum(1), torch.ones(40))


@pytest.mark.parametrize("std", [1.0, 0.1, 0.01, 0.0])
def test_every_key_is_used_about_as_often_as_it_occurs(std):
    """Queries that all lie near one side take all of it by themselves; in balance they do not."""
    keys = torch.cat([points(20, 1) - 0.5, points(20, 2) + 0.5])
    queries = torch.cat([points(30, 3) - 0.5, points(10, 4) + 0.5])
    used = Transport(keys, keys).plan(queries, 1.0, std).sum(0)
    alone = (-torch.cdist(queries, keys).square() / (2 * max(std, 1e-3) ** 2)).softmax(1).sum(0)
    assert float((used - 1).abs().mean()) < 0.5 * float((alone - 1).abs().mean())
    assert abs(float(used[:20].sum()) - 20) < 0.5 * abs(float(alone[:20].sum()) - 20) + 0.5


def test_an_image_depends_on_itself_alone():
    keys, queries = points(50, 1), torch.stack([points(30, 2), points(30, 3)])
    transport = Transport(keys, keys)
    together = transport.mean(queries, 0.5, 0.5)
    assert torch.equal(together[1:], transport.mean(queries[1:], 0.5, 0.5))


@pytest.mark.parametrize("keys", [torch.zeros(9, 4), torch.ones(9, 4), torch.eye(4).repeat(3, 1), 1e3 * torch.eye(4)], ids=str)
@pytest.mark.parametrize(("gain", "std"), [(1.0, 0.0), (0.01, 0.99), (0.98, 0.02)])
def test_what_is_alike_or_far_apart_gives_numbers(keys, gain, std):
    found = Transport(keys, keys).mean(points(7, 1, 4)[None], gain, std)
    assert bool(found.isfinite().all()) and float(found.abs().max()) <= float(keys.abs().max()) * (1 + 1e-5)


def test_patches_come_to_follow_the_others():
    """Of a blurred and darker texture, towards the texture: moments of every patch's projections, on directions of its own."""
    image = torch.rand(3, 60, 70, generator=seeded(1)) * 2 - 1
    x = 0.3 * torch.nn.functional.avg_pool2d(torch.rand(1, 3, 62, 72, generator=seeded(2)) * 2 - 1, 3, 1) - 0.2
    before = x
    for _ in range(4):
        x = SlicedMatch(image, 64)(x)
    assert abs(float(x.std() - image.std())) < 0.2 * float(image.std())
    assert float(before.std()) < 0.3 * float(image.std())
    torch.testing.assert_close(x.mean(), before.mean(), rtol=0, atol=0.02)  # the colour of a patch is layout


def test_its_own_patches_stay_where_they_are():
    image = torch.rand(1, 20, 30, generator=seeded(1))
    torch.testing.assert_close(SlicedMatch(image, 33)(image[None]), image[None], rtol=0, atol=1e-5)
    assert SlicedMatch(image, 1)(torch.zeros(2, 1, SIDE, 40)).shape == (2, 1, SIDE, 40)
