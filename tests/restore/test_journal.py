from __future__ import annotations

import json

import pytest

from restore.curve import draw_curve
from restore.journal import lines, trim

FOREIGN = [
    "3",
    "null",
    "[]",
    "\0",
    "{" * 10_000,
    '{"loss": 1.0}',
    '{"step": 2}',
    '{"step": 2, "loss": 1.0}',
    '{"step": 2, "loss": [1], "gradient_norm": 1.0}',
    '{"step": "2", "loss": 1.0, "gradient_norm": 1.0}',
    '{"step": true, "loss": 1.0, "gradient_norm": 1.0}',
]


@pytest.mark.parametrize("line", FOREIGN, ids=lambda line: line[:40])
def test_foreign_lines_of_metrics_are_dropped(line, tmp_path):
    """And those after them are kept."""
    ours = [{"step": 2, "loss": 0.5, "gradient_norm": 1.0}, {"step": 4, "loss": None, "gradient_norm": None}]
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(f"{json.dumps(ours[0])}\n{line}\n\xff\n{json.dumps(ours[1])}\n".encode("latin-1"))
    assert lines(path) == ours
    draw_curve(path, tmp_path / "curve.png")
    trim(path, 3)
    assert path.read_text() == json.dumps(ours[0]) + "\n"
