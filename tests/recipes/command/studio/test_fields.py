"""What is typed into a field is a number within its bounds, or ends in one line; without a browser."""

from __future__ import annotations

import math

import pytest

gr = pytest.importorskip("gradio", reason="gradio is not installed (extra studio)")

from recipes.command.studio import fields  # noqa: E402
from recipes.command.studio.source import ALONE, run_of  # noqa: E402


@pytest.fixture
def form():
    with gr.Blocks():
        return fields.as_given([fields.count_field("x"), gr.Slider(0, 1, 0.5, label="Share"), gr.Textbox()])


def test_values(form):
    assert [field.preprocess(value) for field, value in zip(form[:2], (99, -1), strict=True)] == [99, -1]
    assert fields.values_of(form, (3.2, 0.25, "as it is")) == [3, 0.25, "as it is"]


@pytest.mark.parametrize("value", [None, "", "abc", math.nan, math.inf, -1, 1e9])
def test_what_is_no_number_of_its_field(form, value):
    for values, line in (
        ((value, 0.5, ""), "Images: a number from 1 to 16 is expected"),
        ((1, value, ""), "Share: a number from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=line):
            fields.values_of(form, values)


def test_a_fault_of_the_program_is_raised():
    assert fields.in_a_line(OSError("disk")) == "disk"
    with pytest.raises(KeyError):
        fields.in_a_line(KeyError("x"))


def test_no_run():
    assert run_of(None) is run_of("  ") is run_of(ALONE) is None
