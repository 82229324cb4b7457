"""New images: from the patches of a photograph (recipes/instant.py), or from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from recipes.command.size import size_of
from recipes.command.studio.fields import count_field, help_line, seed_field, size_field
from recipes.command.studio.page import Asked, buttons, connect, results
from recipes.command.studio.source import ALONE, Source, needed, run_of
from recipes.command.studio.workshop import Workshop
from recipes.command.walk import Sample
from recipes.instant import Instant

NAME = "New images"


def build(workshop: Workshop, source: Source) -> None:
    alone = source.run.value == ALONE
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            help_line("Images that were never taken, of what the photograph shows. A run samples from its prior instead.")
            novelty = gr.Slider(
                0,
                1,
                0.25,
                step=0.05,
                label="Novelty",
                info="0: near the photograph; 1: rearranged.",
                visible=alone,
                elem_id="new-novelty",
            )
            with gr.Row():
                count, seed = count_field("new"), seed_field("new")
            size = size_field("new", "empty: the photograph's, or the run's")
            with gr.Row(visible=alone) as shapes:
                tileable = gr.Checkbox(False, label="Tileable", elem_id="new-tileable")
                retarget = gr.Checkbox(False, label="Same scene, in another shape")
            pressed = buttons("new", "Make new images")
        with gr.Column(scale=3):
            shown = results("new")

    def ask(
        photo: Path | None, made_by: str, detail: int, novelty: float, count: int, seed: int, size: str, tileable: bool,
        retarget: bool,
    ) -> Asked:  # fmt: skip
        run, wanted = run_of(made_by), size_of(size) if size.strip() else None
        if run is not None:
            out = workshop.new_folder(run, "samples")
            return Asked(Sample(run, size=wanted, count=count, seed=seed, out=out, device=workshop.device), out)
        image = needed(photo)
        out = workshop.new_folder(image, "instant")
        options: dict[str, Any] = {"novelty": novelty, "tileable": tileable, "retarget": retarget, "judge": False}
        return Asked(Instant(image, size=wanted, count=count, seed=seed, out=out, detail=detail, **options), out)

    connect(workshop, "new", pressed, [*source, novelty, count, seed, size, tileable, retarget], ask, shown)
    dial = [novelty, shapes]
    source.run.change(lambda run: [gr.update(visible=run == ALONE)] * len(dial), source.run, dial, show_progress="hidden")
