"""Seeds, streams and places: which generators are the same, and which have nothing in common."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
import torch

from degrade.random import Field, Stream, globally_seeded, normal, seeded, seeds

WORDS = (0, 1, 2, 10, 2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1)


def drawn(generator: torch.Generator) -> tuple[int, ...]:
    """128 bits."""
    return tuple(torch.randint(2**32, (4,), generator=generator).tolist())


def test_a_generator_is_a_function_of_its_words():
    for words in [(3,), (3, Stream.LATENT), (3, Stream.LATENT, 7, 0)]:
        assert drawn(seeded(*words)) == drawn(seeded(*words))
    assert drawn(seeded(5)) == drawn(seeded(5, Stream.SAMPLE)) == drawn(seeds(3, 4)[2])


def test_no_two_places_share_a_generator():
    """Zeros at the end count, and so does where one word ends and the next begins; large words are not cut."""
    places = [place for length in range(3) for place in itertools.product(WORDS[:6], repeat=length)]
    every = [(seed, stream, *place) for seed in WORDS for stream in Stream for place in places]
    assert len({drawn(seeded(*words)) for words in every[::5]}) == len(every[::5])
    for one, other in [((7, 2), (7, 2, 0)), ((2**32,), (0, 1)), ((1, 12), (11, 2)), ((0, 2**32), (0, 0))]:
        assert drawn(seeded(one[0], Stream.DATA, *one[1:])) != drawn(seeded(other[0], Stream.DATA, *other[1:]))


def test_more_than_32_bits_of_a_seed_count():
    """Pairs of (step, image) of seed 0 whose seeds were the same when they had 32 bits: 5 pairs are expected in 200,000."""
    for one, other in [((15774, 0), (25266, 2)), ((18161, 3), (27673, 3)), ((1978, 0), (27803, 0)), ((45386, 2), (47998, 3))]:
        assert drawn(seeded(0, Stream.LATENT, *one)) != drawn(seeded(0, Stream.LATENT, *other))


def test_a_generator_on_the_cpu_is_a_mersenne_twister_whose_whole_state_is_hashed():
    """As numpy's, over two states' worth of numbers, of which torch.rand takes the last 24 bits."""
    expected = np.random.MT19937()
    state = np.frombuffer(hashlib.shake_128(b"latent/3/14/1").digest(4 * 624), np.uint32)
    expected.state = {"bit_generator": "MT19937", "state": {"key": state, "pos": 624}}
    found = torch.rand(1300, generator=seeded(3, Stream.LATENT, 14, 1)) * 2**24
    assert found.long().tolist() == (expected.random_raw(1300) % 2**24).tolist()


@pytest.mark.parametrize("seed", [-1, 2**63, 99999999999999999999999])
def test_seeds_out_of_range(seed):
    for make in (lambda: seeded(seed), lambda: seeds(seed, 2)):
        with pytest.raises(ValueError, match=rf"from 0 to 2\^63 - 1, got {seed}\.$"):
            make()


def test_streams_of_fields_and_samples_differ():
    assert not torch.equal(normal((1, 1, 64, 64), Field((0,), 0, 0)), normal((1, 1, 64, 64), seeds(0, 1)))


def test_the_global_generator_is_put_back():
    before = torch.get_rng_state()
    with globally_seeded(4, Stream.WEIGHTS):
        first = torch.rand(3)
    with globally_seeded(4 + 2**32, Stream.WEIGHTS):
        assert not torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, torch.rand(3, generator=seeded(4, Stream.WEIGHTS)))
