"""Outpainting: more of the photograph around it (recipes/edit.py outpaint)."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from recipes.command.size import size_of
from recipes.command.studio.fields import count_field, help_line, seed_field, size_field
from recipes.command.studio.page import Asked, buttons, connect, results
from recipes.command.studio.source import Source, needed, run_of
from recipes.command.studio.workshop import Workshop
from recipes.edit import Outpaint

NAME = "Outpaint"


def build(workshop: Workshop, source: Source) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            help_line("The photograph stays in the middle, pixel for pixel, and the scene goes on around it.")
            size = size_field("outpaint", "empty: half as much again")
            crop = gr.Slider(
                0.3,
                1,
                1,
                step=0.05,
                label="Middle",
                info="Take only this share of the photograph's sides.",
                elem_id="outpaint-crop",
            )
            with gr.Row():
                count, seed = count_field("outpaint", 1), seed_field("outpaint")
            pressed = buttons("outpaint", "Outpaint")
        with gr.Column(scale=3):
            shown = results("outpaint", 1)

    def ask(photo: Path | None, made_by: str, detail: int, size: str, crop: float, count: int, seed: int) -> Asked:
        run, image = run_of(made_by), needed(photo)
        wanted = size_of(size) if size.strip() else None
        out = workshop.new_folder(image, "outpaint")
        given = {"image": image, "device": workshop.device} if run else {"detail": detail}
        command = Outpaint(run or image, size=wanted, crop=crop, count=count, seed=seed, out=out, **given)
        return Asked(command, out)

    connect(workshop, "outpaint", pressed, [*source, size, crop, count, seed], ask, shown)
