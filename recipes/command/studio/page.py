"""What every page has: a button that makes a job of a command, its progress, the results, and the command itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from recipes.command.spelled import spelled
from recipes.command.studio import look
from recipes.command.studio.fields import as_given, in_a_line, values_of
from recipes.command.studio.jobs import Job
from recipes.command.studio.workshop import Workshop
from restore.machine.terminal import counted

SHEETS = ("grid", "strip")
"""Files that show the others together."""


class Asked(NamedTuple):
    """What a page asks for."""

    command: Any
    """A command of another recipe: a dataclass that is called, and read by its command line."""
    out: Path
    """Its folder."""


class Shown(NamedTuple):
    """Where a page shows what came of it."""

    said: gr.HTML
    gallery: gr.Gallery
    files: gr.File
    command: gr.Code


def results(name: str, columns: int = 2) -> Shown:
    """The right half of a page."""
    said = gr.HTML(look.words(""), elem_id=f"{name}-said")
    gallery = gr.Gallery(
        label="Results",
        columns=columns,
        height=430,
        object_fit="contain",
        format="png",
        buttons=["fullscreen"],
        elem_id=f"{name}-gallery",
    )
    files = gr.File(
        label="Download: PNG with its settings",
        file_count="multiple",
        interactive=False,
        visible=False,
        elem_id=f"{name}-files",
    )
    command = gr.Code(
        label="The command that makes the same", language="shell", lines=1, wrap_lines=True, show_line_numbers=False,
        interactive=False, visible=False, elem_id=f"{name}-command",
    )  # fmt: skip
    return Shown(said, gallery, files, command)


def buttons(name: str, word: str) -> tuple[gr.Button, gr.Button]:
    """The one that begins, and the one that cancels."""
    with gr.Row():
        begin = gr.Button(word, variant="primary", elem_id=f"{name}-go")
        return begin, gr.Button("Cancel", variant="secondary", elem_id=f"{name}-cancel")


def connect(
    workshop: Workshop,
    name: str,
    pressed: tuple[gr.Button, gr.Button],
    given: Sequence[gr.components.Component],
    ask: Callable[..., Asked],
    shown: Shown,
) -> None:
    """Pressed, `ask` makes a command of what is `given`, and its results are `shown`. What is wrong is said in one line."""
    begin, cancel = pressed

    async def run(request: gr.Request, *values: Any) -> AsyncIterator[tuple]:
        try:
            asked = await asyncio.to_thread(ask, *values_of(given, values))
        except Exception as error:
            yield look.wrong(in_a_line(error)), gr.skip(), gr.skip(), gr.skip()
            return
        line = spelled(asked.command)
        job = workshop.jobs.submit(Job(asked.command, f"{request.session_hash} {name}", line))
        try:
            yield look.words("..."), gr.skip(), gr.skip(), gr.Code(line, visible=True)
            while not job.ended:
                yield look.bar(*_progress(workshop, job)), gr.skip(), gr.skip(), gr.skip()
                await asyncio.sleep(0.25)
        finally:  # also where the tab was closed
            job.cancel()
            with suppress(OSError):  # what was made stays
                asked.out.rmdir()
        yield _outcome(job, asked.out)

    begin.click(run, as_given(given), list(shown), concurrency_limit=None, show_progress="hidden")

    def stop(request: gr.Request) -> None:
        workshop.jobs.cancel(f"{request.session_hash} {name}")

    cancel.click(stop, show_progress="hidden", concurrency_limit=None)


def _progress(workshop: Workshop, job: Job) -> tuple[str, float]:
    if job.state == "waits":
        before = workshop.jobs.before(job)
        return f"waits for {counted(before, 'other')} to end", 0.0
    left = job.seconds_left
    if left is None:
        return "works", 0.0
    minutes, seconds = divmod(round(left), 60)
    return f"{job.share:.0%} done, about {f'{minutes} min ' if minutes else ''}{seconds} s left", job.share


def _outcome(job: Job, out: Path) -> tuple:
    if job.state != "done":
        said = look.words("cancelled") if job.state == "cancelled" else look.wrong(job.said)
        return said, gr.skip(), gr.skip(), gr.skip()
    files = sorted(out.rglob("*.png"), key=lambda path: (path.stem in SHEETS, path))
    single = [(str(path), path.stem) for path in files if path.stem not in SHEETS]
    return look.words(job.said), single, gr.File([str(path) for path in files], visible=True), gr.skip()
