"""A training as it goes: its curve and its previews; begun, stopped and gone on with."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
import numpy as np

from degrade.files import ordinary
from recipes.command.pasteable import pasteable
from recipes.command.spelled import arguments, spelled
from recipes.command.studio import look
from recipes.command.studio.fields import as_given, help_line, in_a_line, values_of
from recipes.command.studio.source import Source, needed, run_of
from recipes.command.studio.workshop import Workshop
from recipes.command.training import Resume
from restore.data.images import load_image, to_bytes
from restore.storage.checkpoint import last_step
from restore.training.budget import Budget
from restore.training.curve import draw_curve
from restore.training.metrics_log import lines

NAME = "Training"
PREVIEWS = 4
"""Of the last, shown."""


def build(workshop: Workshop, source: Source) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            help_line("Learns the photograph (SinDiffusion), or goes on with a run. It runs on when this tab is closed.")
            begun = run_of(source.run.value)
            run = gr.Dropdown(
                workshop.runs(),
                value=str(begun) if begun else None,
                label="Run",
                info="Folder of the training to follow.",
                allow_custom_value=True,
                elem_id="training-run",
            )
            minutes_of = gr.Number(3, label="Minutes", minimum=0.05, elem_id="training-minutes")
            with gr.Row():
                learn = gr.Button("Learn the photograph", variant="primary", elem_id="training-learn")
                resume = gr.Button("Resume the run", elem_id="training-resume")
                stop = gr.Button("Stop and save", elem_id="training-stop")
            answer = gr.HTML(look.words(""), elem_id="training-answer")
            said = gr.HTML(look.words(""), elem_id="training-said")
            command = gr.Code(
                label="The command that does the same", language="shell", lines=1, wrap_lines=True, show_line_numbers=False,
                interactive=False, visible=False, elem_id="training-command",
            )  # fmt: skip
        with gr.Column(scale=3):
            curve = gr.Image(
                label="Loss, and norm of the gradient",
                show_label=False,
                interactive=False,
                buttons=[],
                elem_id="training-curve",
            )
            previews = gr.Gallery(
                label="Previews", columns=2, height=300, format="png", object_fit="contain", elem_id="training-previews"
            )

    def begin(photo: Path | None, minutes: float) -> tuple:
        try:
            image = needed(photo)
            (minutes,) = values_of([minutes_of], [minutes])
            Budget(minutes)
            folder = workshop.new_folder(image, "run")
            words = ["train", str(image), "--minutes", f"{minutes:g}", "--out", str(folder)]
            words += ["--device", workshop.device] if workshop.device else []
            workshop.trainings.start(folder, words)
        except Exception as error:
            return gr.skip(), look.wrong(in_a_line(error)), gr.skip()
        line = gr.Code(pasteable(*words, recipe="sindiffusion.py"), visible=True)
        return gr.Dropdown([str(folder), *workshop.runs()], value=str(folder)), look.words("begins"), line

    def go_on(run: str | None, minutes: float) -> tuple:
        try:
            folder = Path(_named(run))
            command = Resume(folder, device=workshop.device)
            if _ended(folder):
                (minutes,) = values_of([minutes_of], [minutes])
                command = Resume(folder, minutes=minutes, device=workshop.device)
            workshop.trainings.start(folder, arguments(command)[1:])
        except Exception as error:
            return look.wrong(in_a_line(error)), gr.skip()
        return look.words("begins"), gr.Code(spelled(command), visible=True)

    def end() -> str:
        if not workshop.trainings.runs:
            return look.wrong("no training of this studio runs; one that was started elsewhere is stopped by Ctrl-C there.")
        workshop.trainings.stop()
        return look.words("saves, then ends")

    seen = gr.State(None)

    def follow(run: str | None, seen: Any) -> tuple:
        if not run:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        try:
            folder = Path(run.strip())
            told = look.log(
                _where(folder, workshop), workshop.trainings.printed() if workshop.trainings.folder == folder else ""
            )
            now = _state(folder)
            if now == seen:
                return told, gr.skip(), gr.skip(), gr.skip()
            return told, _curve(folder), _previews(folder), now
        except Exception as error:
            return look.wrong(in_a_line(error)), gr.skip(), gr.skip(), gr.skip()

    learn.click(begin, as_given([source.photo, minutes_of]), [run, answer, command], show_progress="hidden")
    resume.click(go_on, [run, minutes_of], [answer, command], show_progress="hidden")
    stop.click(end, None, answer, show_progress="hidden")
    shown = [said, curve, previews, seen]
    gr.Timer(2).tick(follow, [run, seen], shown, show_progress="hidden", concurrency_limit=None)
    run.change(lambda run: follow(run, None), run, shown, show_progress="hidden")


def _named(run: str | None) -> str:
    if not run or not run.strip():
        raise ValueError("there is no run: choose one, or learn the photograph.")
    return run.strip()


def _ended(folder: Path) -> bool:
    """Whether a run got to the end of its plan."""
    from restore.run import read_recipe

    return last_step(folder) == read_recipe(folder).training.steps


def _where(folder: Path, workshop: Workshop) -> str:
    """How far the training is, in a line."""
    last, saved = _last(folder), last_step(folder)
    who = "trains" if workshop.trainings.runs and workshop.trainings.folder == folder else "not trained by this studio"
    at = f"step {last['step']}, loss {last['loss']:.4f}" if last and last["loss"] is not None else "no step yet"
    return f"{folder.name}: {who}; {at}; {'saved at step ' + str(saved) if saved is not None else 'nothing saved yet'}"


def _last(folder: Path) -> dict[str, Any] | None:
    last = None
    for last in lines(folder / "metrics.jsonl"):  # noqa: B007
        pass
    return last


def _pictures(folder: Path) -> list[Path]:
    """The last previews, and what was drawn at the end, last first."""
    found = [*sorted((folder / "previews").glob("step-*.png"))[-PREVIEWS:], folder / "samples.png", folder / "restorations.png"]
    return [path for path in reversed(found) if path.exists() and ordinary(path)]


def _state(folder: Path) -> tuple:
    metrics = folder / "metrics.jsonl"
    return str(folder), metrics.stat().st_size if metrics.exists() else 0, [str(path) for path in _pictures(folder)]


def _curve(folder: Path) -> np.ndarray | None:
    with TemporaryDirectory() as home:
        path = draw_curve(folder / "metrics.jsonl", Path(home) / "curve.png")
        return _pixels(path) if path else None


def _previews(folder: Path) -> list[tuple[np.ndarray, str]]:
    return [(_pixels(path), path.stem) for path in _pictures(folder)]


def _pixels(path: Path) -> np.ndarray:
    return to_bytes(load_image(path)).permute(1, 2, 0).numpy()
