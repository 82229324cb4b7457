"""metrics.jsonl: what was written of a run, and what a stranger put there."""

from __future__ import annotations

import json
import os

import pytest

from degrade.files import LinkError
from restore.journal import Journal, lines, trim

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
            Journal(run, 1, None, {})
    else:
        with Journal(run, 1, None, {}) as journal:
            journal.write({**GOOD, "step": 2})
        assert [line["step"] for line in lines(metrics)] == ([1, 2] if kind == "hard link" else [2])
    assert decoy.read_text() == json.dumps(GOOD) + "\n" and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "[1]",
        '{"step": "1"}',
        '{"step": true}',
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
def test_lines_of_another_end_the_metrics(text, tmp_path):
    """None of them is passed on, nor what follows."""
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("\n".join([json.dumps(GOOD), text, json.dumps({**GOOD, "step": 3})]))
    assert list(lines(metrics)) == [GOOD]
    trim(metrics, 9)
    assert metrics.read_text() == json.dumps(GOOD) + "\n"
