"""Couplings: which latent goes with which image."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from degrade import (
    OPERATORS,
    Compose,
    Coupling,
    GaussianNoise,
    ImageMixing,
    Independent,
    OptimalTransport,
    RectifiedFlow,
    Snow,
    Stage,
    seeds,
)
from degrade.couplings import partners
from degrade.tree import tree_leaves
from models import Condition
from restore.data.batch import Batch

CHAIN = Compose((Stage(ImageMixing()), Stage(GaussianNoise(RectifiedFlow())), Stage(Compose((Stage(ImageMixing()),)))))


class Pair(NamedTuple):
    x0: torch.Tensor
    x1: tuple[torch.Tensor, ...] = ()


def pair(count: int) -> Pair:
    x0, *x1 = torch.rand(1 + count, 2, 3, 9, 8, generator=torch.Generator().manual_seed(0)).unbind(0)
    return Pair(x0, tuple(x1))


def test_partners_are_counted():
    assert isinstance(Independent(), Coupling)
    counts = {operator.__name__: partners(operator()) for operator in OPERATORS}
    assert counts == {**dict.fromkeys(counts, 0), "ImageMixing": 1, "Bridge": 1} and partners(CHAIN) == 2


@pytest.mark.parametrize("operator", OPERATORS)
def test_without_another_image_it_is_the_own_draw(operator):
    if partners(operator()):
        return
    batch = pair(0)
    found, expected = Independent().couple(batch, operator(), seeds(3, 2)), operator().draw(batch.x0, seeds(3, 2))
    assert type(found) is type(expected)
    assert all(torch.equal(a, b) for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True))


def test_partners_go_in_one_after_the_other():
    batch = pair(2)
    first, (noise,), (last,) = Independent().couple(batch, CHAIN, seeds(3, 2))
    assert torch.equal(first.image, batch.x1[0]) and torch.equal(last.image, batch.x1[1])
    assert torch.equal(noise, CHAIN.draw(batch.x0, seeds(3, 2))[1][0])


def test_optimal_transport_pairs_each_noise_once_at_the_least_distance():
    """The same noises as without it, and no exchange of two of them shortens the way."""
    batch, process = pair(0), GaussianNoise(RectifiedFlow())
    batch = Pair(torch.rand(7, 3, 5, 4, generator=seeds(1, 1)[0]))
    (found,) = OptimalTransport().couple(batch, process, seeds(3, 7))
    (drawn,) = process.draw(batch.x0, seeds(3, 7))
    assert sorted(found.flatten(1).sum(1).tolist()) == sorted(drawn.flatten(1).sum(1).tolist())
    distance = torch.cdist(batch.x0.flatten(1), found.flatten(1)).square()
    own = distance.diag()
    assert (own[:, None] + own <= distance + distance.T + 1e-4).all()
    assert own.sum() < torch.cdist(batch.x0.flatten(1), drawn.flatten(1)).square().diag().sum()


def test_classes_keep_their_noise():
    """Of each class the same noises as without optimal transport."""
    process, label = GaussianNoise(RectifiedFlow()), torch.tensor([0, 1, 0, 1, 0, 0, 1])
    batch = Batch(torch.rand(7, 3, 5, 4, generator=seeds(1, 1)[0]), Condition(label=label))
    (found,) = OptimalTransport().couple(batch, process, seeds(3, 7))
    (drawn,) = process.draw(batch.x0, seeds(3, 7))
    for value in (0, 1):
        of_class = [sorted(z[label == value].flatten(1).sum(1).tolist()) for z in (found, drawn)]
        assert of_class[0] == of_class[1]
    assert not torch.equal(found, drawn)


def test_optimal_transport_is_of_noise():
    with pytest.raises(ValueError, match="Snow has another latent"):
        OptimalTransport().couple(Pair(torch.zeros(2, 3, 16, 16)), Snow(), seeds(3, 2))


def test_too_few_partners_are_refused():
    with pytest.raises(
        ValueError, match=r"2 other image\(s\) are mixed into each, the batch holds 1: give as many in x1"
    ) as error:
        Independent().couple(pair(1), CHAIN, seeds(3, 2))
    assert "\n" not in str(error.value)
    assert Independent().couple(pair(1), Snow(), seeds(3, 2)) is not None  # a partner too many is not looked at
