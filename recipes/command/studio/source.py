"""What all pages work from: a photograph, alone or with a run that was trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from recipes.command.studio import inputs, look
from recipes.command.studio.fields import as_given, in_a_line
from recipes.command.studio.workshop import Workshop

ALONE = "the photograph itself"


class Source(NamedTuple):
    photo: gr.State
    """Path of the photograph, or None."""
    run: gr.Dropdown
    """Folder of a run, or ALONE."""
    detail: gr.Slider
    """Longer side, pixels."""


def source_panel(workshop: Workshop, photograph: Path | None, run: Path | None) -> Source:
    """The column on the left."""
    photo = gr.State(photograph)
    picture = gr.Image(
        inputs.shown(photograph) if photograph else None,
        label="Photograph",
        format="png",
        interactive=False,
        buttons=[],
        height=230,
        elem_id="photograph",
    )
    upload = gr.UploadButton("Choose a photograph", file_types=["image"], variant="secondary", elem_id="upload")
    said = gr.HTML(elem_id="upload-said")
    choices = list(dict.fromkeys([ALONE, *([str(run)] if run else []), *workshop.runs()]))
    made_by = gr.Dropdown(
        choices,
        value=str(run) if run else ALONE,
        label="Made by",
        info="Without training, by its patches (closed form); or by a run: a trained restorer (denoiser).",
        allow_custom_value=True,
        elem_id="run",
    )
    detail = gr.Slider(64, 512, 250, step=2, label="Longer side", info="Smaller is faster; runs keep theirs.", elem_id="detail")

    def take(path: str) -> tuple:
        return taken(workshop, path)

    upload.upload(take, as_given([upload]), [photo, picture, said], show_progress="hidden", concurrency_limit=2)
    return Source(photo, made_by, detail)


def taken(workshop: Workshop, path: str) -> tuple:
    """Of an upload: its file, the picture as it is shown, and no words; or what is wrong with it, by its own name."""
    try:
        kept = workshop.uploaded(path)
        return kept, inputs.shown(kept), look.words("")
    except Exception as error:
        return gr.skip(), gr.skip(), look.wrong(in_a_line(error).replace(str(Path(path).parent) + os.sep, ""))


def run_of(made_by: str | None) -> Path | None:
    """The folder of the run, None where there is none."""
    return None if made_by is None or made_by == ALONE or not made_by.strip() else Path(made_by.strip())


def needed(photo: Path | None) -> Path:
    if photo is None:
        raise ValueError("there is no photograph: choose one, on the left.")
    return photo
