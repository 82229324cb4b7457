"""Inpainting: what is painted over is made anew (recipes/edit.py inpaint)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from recipes.command.studio import inputs
from recipes.command.studio.fields import count_field, editor_field, help_line, seed_field
from recipes.command.studio.page import Asked, buttons, connect, results
from recipes.command.studio.source import Source, needed, run_of
from recipes.command.studio.workshop import Workshop
from recipes.edit import Inpaint

NAME = "Inpaint"


def build(workshop: Workshop, source: Source) -> None:
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            help_line("Paint over what is to be made anew; every other pixel stays as it is (known pixels, RePaint).")
            blue = ("#38bdf8", 0.75)
            brush = gr.Brush(default_size=24, colors=[blue], default_color=blue, color_mode="fixed")
            editor = editor_field("inpaint", "Mask", source.photo, brush)
            with gr.Row():
                count, seed = count_field("inpaint", 1), seed_field("inpaint")
                soft = gr.Number(0, label="Soft edge, pixels", precision=0, minimum=0, maximum=100, min_width=90)
            pressed = buttons("inpaint", "Inpaint")
        with gr.Column(scale=3):
            shown = results("inpaint", 1)

    def ask(
        photo: Path | None, made_by: str, detail: int, painted: dict[str, Any] | None, count: int, seed: int, soft: int
    ) -> Asked:
        run, image = run_of(made_by), needed(photo)
        mask = inputs.mask_file(painted, image, workshop.inputs)
        out = workshop.new_folder(image, "inpaint")
        given = {"image": image, "device": workshop.device} if run else {"detail": detail}
        command = Inpaint(run or image, mask=mask, count=count, seed=seed, soft=soft, out=out, **given)
        return Asked(command, out)

    connect(workshop, "inpaint", pressed, [*source, editor, count, seed, soft], ask, shown)
