"""Restoring: what a run learned to undo; or what is named, under a photograph as prior (recipes/solve.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from degrade import Degradation
from degrade.lazy import torch
from degrade.tree import tree_leaves
from recipes.command.outputs import plain_stem
from recipes.command.restoring import Restore
from recipes.command.studio import inputs, look
from recipes.command.studio.fields import as_given, count_field, help_line, in_a_line, seed_field, severity_field, values_of
from recipes.command.studio.page import Asked, buttons, connect, results
from recipes.command.studio.source import ALONE, Source, needed, run_of, taken
from recipes.command.studio.workshop import Workshop
from recipes.degrading import Degrading
from recipes.solve import KNOWN, Solve
from restore.own_types import kebab

NAME = "Restore"


def operators() -> dict[str, Degradation]:
    """What can be named of a picture, by its name: degradations that draw nothing at random."""
    made = [operator() for operator in KNOWN]
    return {kebab(type(d).__name__): d for d in made if not list(tree_leaves(d.draw(torch.zeros(1, 3, 8, 8))))}


def build(workshop: Workshop, source: Source) -> None:
    named = operators()
    degraded = gr.State(None)
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            help_line(
                "A degraded picture, and what it may have been: under the photograph as prior, or by a run that learned it."
            )
            picture = gr.Image(label="Degraded picture", format="png", interactive=False, buttons=[], height=200)
            with gr.Row():
                upload = gr.UploadButton("Choose a picture", file_types=["image"], size="sm", elem_id="restore-upload")
                example = gr.Button("Degrade the photograph", size="sm", elem_id="restore-example")
            severity_of = severity_field("restore", 0.3, "How far it was degraded: a gaussian-blur of .3 is one of 2.4 pixels.")
            with gr.Column(visible=source.run.value == ALONE) as prior:
                operator = gr.Dropdown(list(named), value="gaussian-blur", label="Degradation (measurement operator)")
                with gr.Row():
                    noise = gr.Number(0.02, label="Noise", minimum=0, maximum=2, step=0.01, min_width=90)
                    count, seed = count_field("restore", 2), seed_field("restore")
            pressed = buttons("restore", "Restore")
        with gr.Column(scale=3):
            shown = results("restore")

    def take(path: str) -> tuple:
        return taken(workshop, path)

    def degrade(photo: Path | None, operator: str, *numbers: float) -> tuple:
        try:
            detail, severity = values_of([source.detail, severity_of], numbers)
            name = f"{operator}-{severity:g}-of-{plain_stem(needed(photo))[:60]}-{detail}.png"
            path = workshop.inputs / name
            Degrading(needed(photo), named[operator], path, size=detail, severity=severity)()
            return path, inputs.shown(path), look.words(f"the photograph, with {operator} at severity {severity:g}")
        except Exception as error:
            return gr.skip(), gr.skip(), look.wrong(in_a_line(error))

    def ask(
        photo: Path | None, made_by: str, detail: int, picture: Path | None, severity: float, operator: str, noise: float,
        count: int, seed: int,
    ) -> Asked:  # fmt: skip
        if picture is None:
            raise ValueError("there is no degraded picture: choose one, or degrade the photograph.")
        run, out = run_of(made_by), workshop.new_folder(picture, "restored")
        if run is not None:
            return Asked(Restore(run, picture, severities=(severity,), seed=seed, out=out, device=workshop.device), out)
        options: dict[str, Any] = {"noise": noise, "count": count, "seed": seed, "side": detail, "detail": detail, "out": out}
        return Asked(Solve(picture, prior=needed(photo), degradation=named[operator], severity=(severity,), **options), out)

    upload.upload(take, as_given([upload]), [degraded, picture, shown.said], show_progress="hidden")
    example.click(
        degrade,
        as_given([source.photo, operator, source.detail, severity_of]),
        [degraded, picture, shown.said],
        show_progress="hidden",
    )
    connect(workshop, "restore", pressed, [*source, degraded, severity_of, operator, noise, count, seed], ask, shown)
    source.run.change(lambda run: gr.update(visible=run == ALONE), source.run, prior, show_progress="hidden")
