"""Random numbers by counter: known answers, what they depend on, and that they are what they are said to be."""

from __future__ import annotations

import pytest
import torch

from degrade import Stream
from degrade.counters import Counters, _numbers
from degrade.random import counters, integers, normal, uniform

PLACES = [(step, image) for step in range(8) for image in range(8)]


def streams(places=PLACES, seed=3, stream=Stream.LATENT, device="cpu") -> Counters:
    return counters(seed, stream, places, device)


def test_known_answers():
    """SplitMix64's first numbers from the seed 0, as its authors publish them (prng.di.unimi.it, splitmix64.c)."""
    found = [number % 2**64 for number in _numbers(3, torch.device("cpu")).tolist()]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize("draw", [normal, uniform, lambda *args: integers(1000, *args)])
def test_a_sample_depends_on_its_own_place_only(draw):
    """Not on the batch, its order, or how many numbers are made at a time; and further draws go on."""
    shape = (3, 5, 7)
    whole = streams()
    first, second = (draw((64, *shape), whole) for _ in range(2))
    places = [40, 37, 34, 31]
    some = streams([PLACES[i] for i in places])
    assert torch.equal(draw((4, *shape), some), first[places])
    assert torch.equal(draw((4, *shape), some), second[places])
    assert torch.equal(draw((1, *shape), streams()[5]), first[5:6])
    assert not torch.equal(first, second)
    large = (2**17 + 1,)
    assert torch.equal(draw((2, *large), streams(PLACES[:2]))[1:], draw((1, *large), streams(PLACES[1:2])))


def test_streams_differ_by_each_of_their_words():
    first = uniform((1, 4), streams([(1, 2)]))
    for other in (streams([(1, 3)]), streams([(2, 2)]), streams([(1, 2)], seed=4), streams([(1, 2)], stream=Stream.DROPOUT)):
        assert not torch.equal(uniform((1, 4), other), first)


def test_they_are_what_they_are_said_to_be():
    """Distribution functions (Kolmogorov and Smirnov, at 1.6 / sqrt(n), one in a hundred), streams and halves uncorrelated."""
    count = 10_000
    x, u, whole = normal((64, count), streams()), uniform((64, count), streams()), integers(10, (64, count), streams())
    for values, expected in ((x, torch.special.ndtr), (u, lambda v: v)):
        flat = expected(values.double().flatten().sort().values)
        assert (flat - torch.linspace(0, 1, flat.numel(), dtype=torch.float64)).abs().max() < 1.6 / flat.numel() ** 0.5
        both = torch.cat([values, values.roll(1, 1)])
        assert (torch.corrcoef(both) - torch.eye(128)).abs().max() < 5.5 / count**0.5
    assert u.min() >= 0 and u.max() < 1
    assert (torch.bincount(whole.flatten(), minlength=10) - 64_000).abs().max() < 5 * 64_000**0.5


def test_of_another_batch():
    with pytest.raises(ValueError, match=r"^64 streams for a batch of 3: pass one for each sample\.$"):
        normal((3, 2), streams())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_same_on_a_gpu():
    shape = (64, 3, 33)
    assert torch.equal(uniform(shape, streams(device="cuda")).cpu(), uniform(shape, streams()))
    torch.testing.assert_close(normal(shape, streams(device="cuda")).cpu(), normal(shape, streams()), rtol=1e-5, atol=1e-5)
