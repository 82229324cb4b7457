"""Processes of a benchmark end with it, without a word."""

from __future__ import annotations

import importlib
import multiprocessing
from types import SimpleNamespace

import pytest

from tests.commands import ROOT


@pytest.fixture
def training_step(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("training_step")


def test_a_row_ends_with_the_benchmark(training_step):
    ours, theirs = multiprocessing.Pipe()
    steps: list[int] = []
    ours.send("step")
    ours.close()
    training_step.serve(SimpleNamespace(step=lambda: lambda: steps.append(1), device="cpu"), theirs)
    assert steps == [1]
