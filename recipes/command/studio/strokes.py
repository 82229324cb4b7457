"""Strokes made into a picture: SDEdit (recipes/edit.py sdedit)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from recipes.command.studio import inputs
from recipes.command.studio.fields import count_field, editor_field, help_line, seed_field, severity_field
from recipes.command.studio.page import Asked, buttons, connect, results
from recipes.command.studio.source import Source, needed, run_of
from recipes.command.studio.workshop import Workshop
from recipes.edit import SDEdit

NAME = "Strokes"
Colour = str | tuple[str, float]
COLOURS: list[Colour] = ["#4a2511", "#f5e9d3", "#b5522b", "#1f4e79", "#3f7d3a", "#d8a03d", "#111111", "#ffffff"]


def build(workshop: Workshop, source: Source) -> None:
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            help_line("Paint in colour on the photograph: the strokes become matter of the scene (SDEdit).")
            brush = gr.Brush(default_size=20, colors=COLOURS, default_color=COLOURS[0], color_mode="defaults")
            editor = editor_field("strokes", "Strokes", source.photo, brush)
            severity = severity_field("strokes", 0.5, "More changes more: little keeps the strokes, much only their layout.")
            with gr.Row():
                count, seed = count_field("strokes", 1), seed_field("strokes")
                only = gr.Checkbox(False, label="Change only what is painted", elem_id="strokes-only")
            pressed = buttons("strokes", "Make it a picture")
        with gr.Column(scale=3):
            shown = results("strokes", 1)

    def ask(
        photo: Path | None, made_by: str, detail: int, painted: dict[str, Any] | None, severity: float, count: int, seed: int,
        only: bool,
    ) -> Asked:  # fmt: skip
        run, under = run_of(made_by), needed(photo)
        image = inputs.strokes_file(painted, under, workshop.inputs)
        mask = inputs.mask_file(painted, image, workshop.inputs) if only else None
        out = workshop.new_folder(under, "sdedit")
        given = {"device": workshop.device} if run else {"detail": detail}
        command = SDEdit(run or under, image, severities=(severity,), mask=mask, count=count, seed=seed, out=out, **given)
        return Asked(command, out)

    connect(workshop, "strokes", pressed, [*source, editor, severity, count, seed, only], ask, shown)
