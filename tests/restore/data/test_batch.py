"""One draw of the data a step: images, their conditions, their partners."""

from __future__ import annotations

import pytest
import torch

from degrade.random import Stream, integers, seeded
from models import Condition
from restore import Batch, Batches, OneImage, Source
from tests.captions import Captioned

IMAGES = torch.arange(10.0).reshape(10, 1, 1, 1).expand(10, 1, 4, 4)
ALL = slice(None)


def draw(count, generator, shard=ALL):
    which = integers(10, (count,), generator)[shard]
    return Batch(IMAGES[which], Condition(label=which))


BATCHES = Batches(draw, IMAGES)


def test_images_come_with_their_conditions_and_partners():
    """From the streams that are documented, the same for a shard as for the whole."""
    whole = BATCHES.at(5, 7, 6, ALL, 2, "cpu")
    assert torch.equal(whole.x0, draw(6, seeded(5, Stream.DATA, 7)).x0)
    assert torch.equal(whole.x0[:, 0, 0, 0].long(), whole.condition.label)
    for k, partner in enumerate(whole.x1):
        assert torch.equal(partner, draw(6, seeded(5, Stream.PARTNER, 7, k)).x0)
    few = BATCHES.at(5, 7, 6, slice(2, 4), 2, "cpu")
    assert torch.equal(few.x0, whole.x0[2:4]) and torch.equal(few.condition.label, whole.condition.label[2:4])
    assert [torch.equal(a, b[2:4]) for a, b in zip(few.x1, whole.x1, strict=True)] == [True, True]
    assert BATCHES.at(5, 7, 6, ALL, 0, "cpu").x1 == ()


def test_partners_of_a_second_set():
    batches = BATCHES._replace(others=lambda count, generator, shard: Batch(-1 - draw(count, generator, shard).x0))
    (partner,) = batches.at(0, 0, 6, ALL, 1, "cpu").x1
    assert bool((partner < 0).all()) and torch.equal(-1 - partner, draw(6, seeded(0, Stream.PARTNER, 0, 0)).x0)


def test_partners_of_the_source_are_kept():
    """A source of pairs, such as a photograph and its blurred version."""

    def paired(*args):
        x0 = draw(*args).x0
        return Batch(x0, x1=(-x0,))

    batch = BATCHES._replace(draw=paired).at(0, 0, 6, ALL, 1, "cpu")
    assert len(batch.x1) == 1 and torch.equal(batch.x1[0], -batch.x0)


def test_partners_are_resized_where_that_is_defined():
    def sized(side: int, rank: int):
        return lambda count, generator, shard: Batch(torch.rand(count, 1, *rank * [side], generator=generator)[shard])

    batch = Batches(sized(8, 2), IMAGES, sized(12, 2)).at(0, 0, 3, ALL, 1, "cpu")
    assert batch.x1[0].shape == batch.x0.shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match=r"\(3, 1, 12, 12, 12\) .* \(3, 1, 8, 8, 8\): let the source draw one size"):
        Batches(sized(8, 3), IMAGES, sized(12, 3)).at(0, 0, 3, ALL, 1, "cpu")


def test_a_photograph_is_mixed_with_itself_rotated(photo):
    batches = OneImage(size=48, rescale=(1, 1)).open(photo)
    batch = batches.at(0, 0, 2, ALL, 1, "cpu")
    assert torch.equal(batch.x1[0], batch.x0.flip(-1, -2))


def test_sources_are_open_to_the_users_own():
    assert isinstance(Captioned(), Source) and not isinstance(object(), Source)
