from __future__ import annotations

import torch

from restore.training.ema import Ema


def moved(ema: Ema, weight: torch.Tensor, advance: float = 1) -> None:
    """An update as the trainer makes it: by a number, and by a tensor where its steps are captured."""
    amount, before = ema.next_weight(advance), [average.clone() for average in ema.average]
    ema.move([weight], torch.tensor(amount))
    captured, ema.average = ema.average, before
    ema.move([weight], amount)
    torch.testing.assert_close(captured, ema.average)


def test_ema_against_its_definition():
    for warmup in (True, False):
        weight = torch.zeros(3)
        ema, expected = Ema([weight], 0.9, warmup), torch.zeros(3)
        for n in range(1, 200):
            weight += 1
            decay = min(0.9, (1 + n) / (10 + n)) if warmup else 0.9
            expected = decay * expected + (1 - decay) * weight
            moved(ema, weight)
        torch.testing.assert_close(ema.average[0], expected)


def test_longer_moves_forget_more():
    """average += min(1, (1 - decay) a) (weight - average)."""
    weight = torch.ones(1)
    for advance, expected in ((2.5, 0.25), (100.0, 1.0)):
        ema = Ema([torch.zeros(1)], 0.9, warmup=False)
        moved(ema, weight, advance)
        torch.testing.assert_close(ema.average[0], torch.tensor([expected]))


def test_ema_of_bfloat16_weights_loses_nothing():
    weight = torch.ones(1, dtype=torch.bfloat16)
    ema = Ema([torch.zeros(1, dtype=torch.bfloat16)], 0.999, warmup=False)
    for _ in range(1000):
        moved(ema, weight)
    assert ema.average[0].dtype == torch.float32
    torch.testing.assert_close(ema.average[0], torch.tensor([1 - 0.999**1000]), rtol=1e-3, atol=0)
