"""Conditions: trees of tensors, each part with its own "nothing"."""

from __future__ import annotations

import pytest
import torch

from models import Condition

B = 4
WHOLE = Condition(
    label=torch.arange(B),
    pooled=torch.ones(B, 3),
    tokens=torch.ones(B, 5, 2),
    mask=torch.ones(B, 5, dtype=torch.bool),
    image=torch.ones(B, 1, 6, 7),
    text=torch.ones(B, 9, dtype=torch.long),
)
DROP = torch.tensor([True, False, False, True])


def test_a_map_goes_over_every_tensor():
    few = WHOLE.map(lambda part: part[1:3])
    assert few.label is not None and few.label.tolist() == [1, 2] and few.batch == 2
    assert [len(part) for part in few if part is not None] == [2] * 6
    assert Condition().map(lambda part: part[:1]) == Condition() and Condition().batch is None


def test_each_part_has_its_own_nothing():
    dropped = WHOLE.dropped(dict.fromkeys(WHOLE.parts, DROP))
    assert dropped.label.tolist() == [-1, 1, 2, -1] and dropped.label.dtype == WHOLE.label.dtype
    for part in (dropped.pooled, dropped.tokens, dropped.mask, dropped.image, dropped.text):
        assert part.flatten(1).float().amax(1).tolist() == part.flatten(1).float().amin(1).tolist() == [0, 1, 1, 0]
    assert dropped.mask.dtype == torch.bool
    assert WHOLE.label.tolist() == [0, 1, 2, 3] and bool(WHOLE.mask.all())  # left as they were


@pytest.mark.parametrize("part", WHOLE.parts)
def test_a_part_is_dropped_alone(part):
    dropped = WHOLE.dropped({part: DROP})
    changed = [name for name in Condition._fields if not torch.equal(getattr(dropped, name), getattr(WHOLE, name))]
    assert changed == ([part, "mask"] if part == "tokens" else [part])


def test_what_is_not_there_is_not_dropped():
    condition = Condition(label=torch.arange(B))
    assert condition.dropped({"pooled": DROP}) == condition and condition.parts == ("label",)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            Condition(label=torch.ones(2)),
            r"label .* has the shape \(B\) and is integers, got \(2,\), torch.float32",
        ),
        (Condition(label=torch.ones(2, dtype=torch.bool)), r"is integers, got \(2,\), torch.bool"),
        (Condition(label=torch.ones(2, 3, dtype=torch.long)), r"has the shape \(B\) .* got \(2, 3\)"),
        (Condition(pooled=torch.ones(2)), r"pooled of a condition has the shape \(B, D\)"),
        (Condition(image=torch.ones(2, 3)), r"image of a condition has the shape \(B, C, ...\)"),
        (Condition(text=torch.full((2, 3), 256)), "text of a condition holds bytes, 0 to 255, at most 256"),
        (WHOLE._replace(mask=torch.ones(B, 5)), "mask of a condition .* is bool, got .*float32"),
        (WHOLE._replace(pooled=torch.ones(3, 3)), "are for one batch, got .*'pooled': 3.* give one entry for each image"),
        (Condition(tokens=torch.ones(2, 5, 2)), r"come with a mask \(B, L\), got .* \(2, 5\) and None: give both"),
        (Condition(mask=torch.ones(2, 5, dtype=torch.bool)), r"got .* None and \(2, 5\): give both"),
        (WHOLE._replace(tokens=torch.ones(B, 6, 2)), r"got .* \(4, 6\) and \(4, 5\)"),
    ],
)
def test_bad_conditions(condition, message):
    with pytest.raises(ValueError, match=message) as error:
        condition.check()
    assert "\n" not in str(error.value)


def test_good_conditions():
    for condition in (Condition(), WHOLE, WHOLE._replace(image=torch.ones(B, 1, 2, 6, 7)), WHOLE.map(lambda part: part[:0])):
        condition.check()


def test_captions_as_bytes():
    text = Condition.written("two", "", "zwölf").text
    assert text is not None and [bytes(row.tolist()).rstrip(b"\0").decode() for row in text] == ["two", "", "zwölf"]
    with pytest.raises(ValueError, match="at most 256 bytes, got 257"):
        Condition.written("a" * 257)
