"""Each part of a condition is dropped with its own probability, by its own draw."""

from __future__ import annotations

import pytest
import torch

from degrade.random import Stream, seeded, uniform
from models import Condition
from restore import ConditionDropout

COUNT = 8
CONDITION = Condition(
    label=torch.arange(COUNT),
    pooled=torch.ones(COUNT, 2),
    tokens=torch.ones(COUNT, 3, 2),
    mask=torch.ones(COUNT, 3, dtype=torch.bool),
    image=torch.ones(COUNT, 1, 4, 4),
    text=torch.ones(COUNT, 5, dtype=torch.long),
)
ALL = slice(None)


def kept(condition: Condition) -> dict[str, torch.Tensor]:
    """By part, which images have it still."""
    values = condition._asdict()
    return {part: values[part].flatten(1).amax(1) > 0 if part != "label" else values[part] >= 0 for part in condition.parts}


def test_shares_and_independence():
    """Of 3200 images: five standard errors."""
    dropout = ConditionDropout(label=0.1, pooled=0.3, tokens=0.5, image=0.8)
    found = [kept(dropout(CONDITION, 5, step, COUNT, ALL)) for step in range(400)]
    shares = {part: 1 - torch.cat([one[part] for one in found]).float().mean() for part in CONDITION.parts}
    for part, share in shares.items():
        p = getattr(dropout, part)
        assert abs(float(share) - p) < 5 * (p * (1 - p) / 3200) ** 0.5
    together = torch.cat([~one["pooled"] & ~one["tokens"] for one in found]).float().mean()
    assert abs(float(together) - 0.15) < 5 * (0.15 * 0.85 / 3200) ** 0.5


def test_the_draws_are_those_of_their_stream():
    dropout = ConditionDropout()
    label = dropout(CONDITION, 7, 3, COUNT, ALL).label
    assert torch.equal(label < 0, uniform((COUNT,), seeded(7, Stream.CONDITION_DROPOUT, 3)) < 0.1)
    image = kept(dropout(CONDITION, 7, 3, COUNT, ALL))["image"]
    assert torch.equal(~image, uniform((COUNT,), seeded(7, Stream.CONDITION_DROPOUT, 3, 3)) < 0.1)


def test_shards_agree_with_the_whole():
    dropout = ConditionDropout(0.5, 0.5, 0.5, 0.5, 0.5)
    whole = dropout(CONDITION, 1, 0, COUNT, ALL)
    shard = slice(3, 6)
    few = dropout(CONDITION.map(lambda part: part[shard]), 1, 0, COUNT, shard)
    assert all(torch.equal(a[shard], b) for a, b in zip(whole, few, strict=True))


def test_never_always_and_nothing_to_drop():
    never, always = ConditionDropout(0, 0, 0, 0, 0), ConditionDropout(1, 1, 1, 1, 1)
    assert all(torch.equal(a, b) for a, b in zip(never(CONDITION, 0, 0, COUNT, ALL), CONDITION, strict=True))
    assert not any(part.any() for part in kept(always(CONDITION, 0, 0, COUNT, ALL)).values())
    assert always(Condition(), 0, 0, COUNT, ALL) == Condition()


@pytest.mark.parametrize("probability", [-0.1, 1.5, float("nan")])
def test_probabilities_are_bounded(probability):
    with pytest.raises(ValueError, match="tokens of ConditionDropout is 0 to 1, got"):
        ConditionDropout(tokens=probability)


def test_everything_at_once():
    """Beside each part on its own (InstructPix2Pix): of 3200 images, five standard errors."""
    dropout = ConditionDropout(text=0.05, image=0.05, whole=0.05)
    found = [kept(dropout(CONDITION._replace(label=None, tokens=None, mask=None), 5, step, COUNT, ALL)) for step in range(400)]
    text, image = (1 - torch.cat([one[part] for one in found]).float() for part in ("text", "image"))
    for share, p in ((text * image, 0.05 + 0.95 * 0.05**2), (text * (1 - image), 0.95 * 0.05 * 0.95)):
        assert abs(float(share.mean()) - p) < 5 * (p * (1 - p) / 3200) ** 0.5
