"""Fields that several pages have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from recipes.command import cli
from recipes.command.studio import inputs

MOST = 16
"""Images at a time."""
Component = gr.components.Component


def as_given(fields: Sequence[Component]) -> list[Component]:
    """The fields, of which numbers and uploads come as they were given: what gradio refuses of them ends in a traceback."""
    for field in fields:
        if isinstance(field, gr.Number | gr.Slider):
            field.preprocess = lambda payload: payload  # type: ignore[method-assign]
        elif isinstance(field, gr.UploadButton):
            field.preprocess = _path  # type: ignore[method-assign]
    return [*fields]


def _path(payload: Any) -> str:
    return payload.path


def values_of(fields: Sequence[Component], values: Sequence[Any]) -> list[Any]:
    """The values of fields `as_given`. ValueError in one line for a number that is none, or beyond its bounds."""
    return [_number(f, v) if isinstance(f, gr.Number | gr.Slider) else v for f, v in zip(fields, values, strict=True)]


def _number(field: gr.Number | gr.Slider, value: Any) -> float:
    low, high = field.minimum, field.maximum
    known = isinstance(value, int | float) and math.isfinite(value)
    if not known or not (-math.inf if low is None else low) <= value <= (math.inf if high is None else high):
        within = f"from {low:g} to {high:g}" if high is not None else f"of {low:g} or more"
        raise ValueError(f"{field.label}: a number {within} is expected, got {value if known else 'none'}.")
    return round(value) if getattr(field, "precision", None) == 0 else value


def in_a_line(error: Exception) -> str:
    """The line that says what a user can put right. Raises what is a fault of the program."""
    reason = cli.in_words(error)
    if reason is None:
        raise error
    return reason


def help_line(text: str) -> gr.Markdown:
    """A line above a page's fields."""
    return gr.Markdown(text, elem_classes="help")


def count_field(name: str, value: int = 2) -> gr.Number:
    return gr.Number(value, label="Images", precision=0, minimum=1, maximum=MOST, min_width=90, elem_id=f"{name}-count")


def seed_field(name: str) -> gr.Number:
    return gr.Number(0, label="Seed", precision=0, minimum=0, min_width=90, elem_id=f"{name}-seed")


def size_field(name: str, otherwise: str) -> gr.Textbox:
    return gr.Textbox("", label="Size, HEIGHTxWIDTH", placeholder=otherwise, max_lines=1, elem_id=f"{name}-size")


def severity_field(name: str, value: float, info: str) -> gr.Slider:
    return gr.Slider(0.05, 1, value, step=0.05, label="Severity (noise level)", info=info, elem_id=f"{name}-severity")


def editor_field(name: str, label: str, photo: gr.State, brush: gr.Brush) -> gr.ImageEditor:
    """The photograph, to be painted on."""
    editor = gr.ImageEditor(
        _canvas(photo.value),
        label=label,
        type="numpy",
        format="png",
        sources=(),
        transforms=(),
        layers=False,
        brush=brush,
        buttons=[],
        height=460,
        elem_id=f"{name}-editor",
    )
    photo.change(_canvas, photo, editor, show_progress="hidden")
    return editor


def _canvas(photo: Path | None) -> Any:
    return {"background": inputs.shown(photo), "layers": [], "composite": None} if photo else None
