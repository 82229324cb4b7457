"""metrics.jsonl: what was written of a run, and what a stranger put there."""

from __future__ import annotations

import json
import os

import pytest

from degrade.files import LinkError
from restore.training.curve import draw_curve
from restore.training.metrics_log import MetricsLog, lines, trim

GOOD = {"step": 1, "loss": 0.5, "gradient_norm": 1.0}


@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "pipe", "folder"])
def test_metrics_are_written_to_no_file_but_the_run_s_own(kind, tmp_path):
    run, decoy = tmp_path / "run", tmp_path / "decoy"
    run.mkdir()
    decoy.write_text(json.dumps(GOOD) + "\n")
    metrics = run / "metrics.jsonl"
    {
        "link": lambda: metrics.symlink_to(decoy),
        "dangling": lambda: metrics.symlink_to(tmp_path / "new"),
        "hard link": lambda: os.link(decoy, metrics),
        "pipe": lambda: os.mkfifo(metrics),
        "folder": metrics.mkdir,
    }[kind]()
    if kind == "folder":
        with pytest.raises(LinkError, match=r"metrics.jsonl is a folder where a file is to be written: remove it"):
            MetricsLog(run, 1, None, {})
    else:
        with MetricsLog(run, 1, None, {}) as log:
            log.write({**GOOD, "step": 2})
        assert [line["step"] for line in lines(metrics)] == ([1, 2] if kind == "hard link" else [2])
    assert decoy.read_text() == json.dumps(GOOD) + "\n" and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "[1]",
        '{"step": "1"}',
        '{"step": true, "loss": 1.0, "gradient_norm": 1.0}',
        '{"step": "2", "loss": 1.0, "gradient_norm": 1.0}',
        '{"step": 2, "loss": [1], "gradient_norm": 1.0}',
        '{"step": 2, "loss": 1.0}',
        '{"loss": 1.0}',
        "3",
        "null",
        '{"step": 1}',
        '{"step": 2, "loss": "x"}',
        '{"step": 2, "loss": NaN}',
        '{"step": 2, "loss": 1e999}',
        '{"step": 2, "gradient_norm": []}',
        '{"step": ' + "9" * 5000 + "}",
        '{"step": 2, "x": "' + "x" * 100_000 + '"}',
        "\0" * 1000,
        '{"step": 2, "lo',
    ],
    ids=lambda text: text[:24],
)
def test_foreign_lines_of_metrics_are_dropped(text, tmp_path):
    """And those after them are kept."""
    metrics, ours = tmp_path / "metrics.jsonl", [GOOD, {"step": 4, "loss": None, "gradient_norm": None}]
    metrics.write_bytes(f"{json.dumps(ours[0])}\n{text}\n\xff\n{json.dumps(ours[1])}\n".encode("latin-1"))
    assert list(lines(metrics)) == ours
    draw_curve(metrics, tmp_path / "curve.png")
    trim(metrics, 3)
    assert metrics.read_text() == json.dumps(GOOD) + "\n"
