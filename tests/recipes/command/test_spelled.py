"""Commands spelled out: the command line that reads them gets the same command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
import tyro

from degrade import GaussianBlur
from recipes.command import cli
from recipes.command.restoring import Restore
from recipes.command.spelled import arguments, spelled
from recipes.command.training import Resume
from recipes.command.walk import Sample
from recipes.edit import Command, Inpaint, Outpaint, SDEdit
from recipes.instant import Instant
from recipes.solve import Solve
from restore.patches.settings import PatchSettings

PHOTO = Path("my photos/it's.jpg")
COMMANDS = {
    Inpaint(PHOTO, mask=Path("mask.png"), seed=7, soft=2): Command,
    Outpaint(PHOTO, size=(40, 60), crop=1 / 3): Command,
    SDEdit(Path("runs/a b"), image=PHOTO, severities=(0.1, 2 / 3), count=3): Command,
    Instant(PHOTO, novelty=0.3, judge=False, tileable=True, size=(9, 8), settings=PatchSettings(border=0.25)): Instant,
    Solve(PHOTO, prior=Path("p.png"), severity=(0.2, 0.3), degradation=GaussianBlur(sigma_max=3.5), noise=0.02): Solve,
    Sample(Path("runs/x"), count=2, size=(8, 16), label="a cat", sampler="dpm-solver++"): cli.WithRun,
    Restore(Path("runs/x"), PHOTO, severities=(0.25,), direct=True): cli.WithRun,
    Resume(Path("runs/x"), minutes=0.5): cli.WithRun,
}


@pytest.mark.parametrize("asked", COMMANDS, ids=lambda asked: type(asked).__name__)
def test_what_is_spelled_is_read_back(asked, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/thaw", "studio"])
    name, recipe, *args = shlex.split(spelled(asked))
    assert (name, [recipe, *args]) == ("thaw", arguments(asked))
    assert tyro.cli(COMMANDS[asked], args=args, config=cli.CONFIG) == asked


def test_it_is_as_short_as_it_can_be():
    assert arguments(Inpaint(PHOTO, mask=Path("m.png"))) == ["edit", "inpaint", str(PHOTO), "--mask", "m.png"]
    assert arguments(Resume(Path("runs/x"))) == ["sindiffusion", "resume", "runs/x"]
