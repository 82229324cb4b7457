"""Names of classes: those without a label, labels of several classes, and labels of none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from restore import pretrained

NUMBER = {"cock": 7, "crane, 134": 134, "134": 134, "crane, 517": 517, "517": 517, "8": 8, "9": 9, "two lines": 10}


@pytest.fixture
def named(published, tmp_path):
    """A pipeline of 1000 classes whose index holds `id2label`."""

    def get(labels) -> object:
        folder: Path = shutil.copytree(published("dit")[1], tmp_path / "dit", dirs_exist_ok=True)
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "id2label": labels}))
        return pretrained(folder, "cpu")

    return get


def test_names_are_all_different(named):
    ours = named({"7": "cock", "8": "", "10": " two \n lines\t", "134": "crane", "517": "crane", "0": "1"})
    assert len(ours.classes) == len(set(ours.classes)) == 1000
    asked = {name: int(ours.conditions(range(1), name).label[0]) for name in NUMBER}
    assert asked == NUMBER
    assert (ours.classes[0], ours.classes[1]) == ("1, 0", "1, 1")
    assert named({"1": "a", "2": "a", "3": "a, 1"}).classes[1:4] == ("a, 1, 1", "a, 2", "a, 1, 3")
    with pytest.raises(
        ValueError, match="2 classes are called 'crane': crane, 134; crane, 517. Ask for one by all of its name"
    ):
        ours.conditions(range(1), "crane")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"1000": "more"}, "model_index.json: id2label names the class '1000', and there are 1000, which count from 0"),
        ({"-1": "less"}, "names the class '-1'"),
        ({"007": "padded"}, "names the class '007'"),
        ({"\u0661": "Arabic"}, "names the class '\u0661'"),
        ({"tench": "0"}, "names the class 'tench'"),
        ({"7": {"a": 1}}, "names the class 7 \"{'a': 1}\", which is no text"),
        (["tench", "goldfish"], "gives the names of classes by their numbers, got"),
    ],
)
def test_labels_of_no_class(labels, message, named):
    with pytest.raises(ValueError, match=message) as error:
        named(labels)
    assert "\n" not in str(error.value)


def test_no_labels(named):
    for labels in ({}, None):
        assert named(labels).classes == tuple(map(str, range(1000)))
