"""How the studio looks: fonts of the system, nothing loaded from elsewhere."""

from __future__ import annotations

import html

import gradio as gr

CSS = """
#title h1 { font-size: 1.5rem; margin: .1rem 0 0; letter-spacing: -.02em; } #title h1 span { font-weight: 300; opacity: .7; }
#source { position: sticky; top: .5rem; }
.said { min-height: 2.2rem; font-size: .92rem; } .said .wrong { color: var(--error-text-color, #b91c1c); font-weight: 500; }
.said .track { height: 6px; border-radius: 3px; background: var(--border-color-primary); overflow: hidden; margin: .35rem 0; }
.said .fill { height: 100%; background: var(--color-accent); transition: width .3s; }
.said pre { white-space: pre-wrap; font-size: .8rem; margin: .3rem 0; max-height: 12rem; overflow: auto; }
.help, .help p { color: var(--body-text-color-subdued); font-size: .92rem; margin: 0; }
footer { display: none !important; }
"""


def theme() -> gr.themes.Base:
    sans = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
    base = gr.themes.Soft(
        primary_hue="sky",
        secondary_hue="sky",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="md",
        font=sans,
        font_mono=mono,
    )
    title = {"block_title_background_fill": "none", "block_title_padding": "0", "block_title_text_weight": "600"}
    label = {"block_label_background_fill": "*background_fill_secondary", "block_label_text_weight": "600"}
    colours = {f"block_{part}_text_color{dark}": "*body_text_color" for part in ("title", "label") for dark in ("", "_dark")}
    fills = {
        "body_background_fill": "*neutral_100",
        "block_background_fill": "white",
        "block_background_fill_dark": "*neutral_800",
        "checkbox_border_color": "*neutral_400",
        "checkbox_border_color_dark": "*neutral_400",
        "body_text_color_subdued": "*neutral_500",
    }
    return base.set(
        **title, **label, **colours, **fills, button_large_text_size="*text_md", button_large_padding="*spacing_md *spacing_xl"
    )


def words(text: str) -> str:
    """What was said, in lines."""
    return f"<div class='said'>{html.escape(text).replace(chr(10), '<br>')}</div>"


def wrong(text: str) -> str:
    """The line that says what was wrong."""
    return f"<div class='said'><span class='wrong'>{html.escape(text)}</span></div>"


def bar(text: str, share: float) -> str:
    """How far something is."""
    track = f"<div class='track'><div class='fill' style='width:{100 * share:.0f}%'></div></div>"
    return f"<div class='said'>{html.escape(text)}{track}</div>"


def log(text: str, lines: str) -> str:
    """What was said, and below it lines of a terminal."""
    return f"<div class='said'>{html.escape(text)}<pre>{html.escape(lines)}</pre></div>"
