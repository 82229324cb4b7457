"""Captions beside the images of a folder, and the set whose captions are true."""

from __future__ import annotations

import pytest
import torch

from degrade import seeded
from restore import Folder, save_image
from restore.data.bundled import scans
from restore.data.captioned import COLOURS, COUNTS, DIGITS, Scene, captioned_digits, held_out, slant, thickness
from restore.data.images import ImageError
from restore.data.instructed import KINDS, instructed_pairs


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        save_image(torch.full((3, 8, 8), -1 + i / 2), tmp_path / f"images/{i}.png")
        (tmp_path / f"images/{i}.txt").write_text(f"level {i}\nlevel {i}, in other words\n", encoding="utf-8")
    return tmp_path / "images"


def spoken(batch) -> list[str]:
    return [bytes(row.tolist()).rstrip(b"\0").decode() for row in batch.condition.text]


def test_a_draw_brings_a_caption_of_its_image(folder):
    batch = Folder(8, captions=True).open(folder).draw(40, seeded(0))
    levels = (2 * (batch.x0[:, 0, 0, 0] + 1)).round().int().tolist()
    assert all(line.startswith(f"level {level}") for line, level in zip(spoken(batch), levels, strict=True))
    assert {line.endswith("words") for line in spoken(batch)} == {True, False}
    shard = Folder(8, captions=True).open(folder).draw(40, seeded(0), slice(7, 12))
    assert spoken(shard) == spoken(batch)[7:12]


def test_a_table(folder):
    (folder / "captions.csv").write_text('0.png,zero\n1.png,"one, or so"\n2.png,two\n', encoding="utf-8")
    batches = Folder(8, captions=True).open(folder)
    assert set(spoken(batches.draw(30, seeded(0)))) == {"zero", "one, or so", "two"} == set(batches.captions)


def test_a_cell_of_several_lines_and_empty_lines(folder):
    (folder / "captions.csv").write_text(
        '0.png,"a large\r\n zero"\n\n1.png,one\n2.png,a\u2028b\n', encoding="utf-8", newline=""
    )
    assert set(Folder(8, captions=True).open(folder).captions) == {"a large zero", "one", "a\u2028b"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("1.txt", " \n", "1.png has no caption"),
        ("1.txt", "a" * 257, "a caption of .*1.png is longer than 256 bytes"),
        ("captions.csv", "0.png,zero\n", "1.png has no caption .*captions.csv has no line of it"),
        ("captions.csv", "0.png,one, or so\n", "line 1 of .*captions.csv has 3 fields"),
        ("captions.csv", '0.png,"zero\n1.png,one\n', "line 2 of .*captions.csv is none of a table .*look at its quotes"),
        ("captions.csv", '0.png,"' + "zero\n" * 40_000, "captions.csv is none of a table"),
    ],
)
def test_captions_that_are_none(name, text, message, folder):
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ImageError, match=message) as error:
        Folder(8, captions=True).open(folder)
    assert "\n" not in str(error.value)


def test_what_captions_say_is_true():
    """The colours named are those that are there; what is held out is where it belongs."""
    splits: dict[str, list] = {}
    for name, one in captioned_digits(*scans(), dict.fromkeys(COUNTS, 20)):
        splits.setdefault(name.rpartition("/")[0], []).append(one)
    assert set(splits) == {"train", "test/seen", "test/unseen"}
    for split, pictures in splits.items():
        for image, caption in pictures:
            words = caption.split()
            colours = [word for word in words if word in COLOURS]
            digits = [word for word in words if word in DIGITS]
            known = torch.tensor(list(COLOURS.values()))
            lit = ((image + 1) / 2).flatten(1).T
            lit = lit[lit.amax(1) > 0.8]
            near = torch.nn.functional.cosine_similarity(lit[:, None], known[None], dim=-1).argmax(1)
            assert {list(COLOURS)[i] for i in near.tolist()} == set(colours), caption
            held = any(held_out(DIGITS.index(d), list(COLOURS).index(c)) for d, c in zip(digits, colours, strict=True))
            assert held == (split == "test/unseen"), caption


def test_strokes_are_measured():
    upright = torch.zeros(1, 8, 8)
    upright[:, 1:7, 3] = 1
    leaning = torch.zeros(1, 8, 8)
    leaning[0, torch.arange(6, 0, -1), torch.arange(1, 7)] = 1
    assert float(slant(upright)) == 0 and float(slant(leaning)) == pytest.approx(1)
    thick = upright.clone()
    thick[:, 1:7, 4] = 1
    assert float(thickness(thick)) > 1.5 * float(thickness(upright))


def test_instructions_change_one_attribute():
    """What is not named stays; and what comes out of the unseen ones was held out."""
    digits, labels = scans()
    kinds = set()
    for name, pair in instructed_pairs(digits, labels, {"train": 40, "test/unseen": 10}):
        before, after = pair.before, pair.after
        changed = [a for a, b in zip(before.digits, after.digits, strict=True) if a != b]
        fields = [field for field in Scene._fields if getattr(before, field) != getattr(after, field)]
        assert len(fields) == 1 and len(changed) == (fields == ["digits"]), pair
        word = {"colour": after.caption, "digit": after.caption, "size": after.size, "place": after.place or "in the middle"}
        assert pair.instruction.split()[-1] in word[pair.kind]
        unseen = any(held_out(digit.label, digit.tint) for digit in after.digits)
        assert unseen == name.startswith("test/unseen") and not any(held_out(d.label, d.tint) for d in before.digits)
        region = pair.changed(digits) > 0
        assert 0 < float(region.float().mean()) < 0.6
        apart = (before.image(digits) - after.image(digits)).abs()[~region.expand(3, -1, -1)]
        assert float(apart.max()) <= 0.2
        kinds.add(pair.kind)
    assert kinds == set(KINDS)
