"""Fields that several pages have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from recipes.command.studio import inputs

MOST = 16
"""Images at a time."""


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
