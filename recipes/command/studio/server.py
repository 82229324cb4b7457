"""The server of the studio: on this machine only, without a call to the outside."""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # is read when gradio is imported
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from recipes.command.studio import inpaint, new_images, outpaint, restoring, strokes, training
from recipes.command.studio.inputs import MOST_BYTES
from recipes.command.studio.look import CSS, theme
from recipes.command.studio.source import source_panel
from recipes.command.studio.workshop import Workshop
from restore.data import bundled
from restore.run import read_recipe

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAGES = (new_images, inpaint, outpaint, strokes, restoring, training)


def serve(source: Path | None, host: str, port: int, out: Path, device: str | None) -> None:
    """Answers on host:port until Ctrl-C. Raises ValueError in one line for a source that is none, or a port that is taken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise ValueError(f"{host}:{port} cannot be answered on ({error}): choose another --port, or --host.") from None
    workshop = Workshop(out, device)
    is_run = source is not None and source.is_dir()
    photograph = bundled.example() if source is None else _learned(source) if is_run else workshop.photograph(source)
    with TemporaryDirectory(prefix="studio-") as copies:
        os.environ["GRADIO_TEMP_DIR"] = copies
        pages = blocks(workshop, photograph, source if is_run else None)
        print(f"the studio answers on http://{host}:{port}; Ctrl-C ends it. What it makes goes to {out}", flush=True)
        try:
            pages.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                ssr_mode=False,
                theme=theme(),
                css=CSS,
                max_file_size=MOST_BYTES,
                allowed_paths=[str(out.resolve())],
                footer_links=[],
                enable_monitoring=False,
                run_history=False,
                _frontend=False,  # no look at its own page, which gives up after 3 s on a busy machine, or behind a proxy
                app_kwargs={"middleware": [own_name_only()] if host in LOOPBACK else []},
            )
        finally:
            if workshop.trainings.runs:
                print(f"waits until the training in {workshop.trainings.folder} has saved", flush=True)
            workshop.close()


def _learned(run: Path) -> Path | None:
    """The photograph that a run was trained on, or another where that is not there. CheckpointError in one line for no run."""
    images = read_recipe(run).images
    return images if images.is_file() else bundled.example()


def own_name_only() -> Middleware:
    """Refuses what comes under another name than this machine's own: of a page elsewhere, whose name was made to point here."""
    return Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])


def blocks(workshop: Workshop, photograph: Path | None, run: Path | None) -> gr.Blocks:
    """All pages, beside what they have in common: the photograph, and what images are made by."""
    with gr.Blocks(title="Thaw studio", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86_400)) as pages:
        gr.HTML("<h1>Thaw <span>studio</span></h1>", elem_id="title")
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=260, elem_id="source"):
                source = source_panel(workshop, photograph, run)
            with gr.Column(scale=4, min_width=600), gr.Tabs(selected=training.NAME if run else new_images.NAME):
                for page in PAGES:
                    with gr.Tab(page.NAME, id=page.NAME):
                        page.build(workshop, source)
        pages.unload(workshop.leave)
    return pages
