"""A source of the user's own in a recipe: trained with, opened and resumed."""

from __future__ import annotations

from dataclasses import replace

from restore.run import open_run
from restore.training.session import resume, train
from tests.own_source import Stripes
from tests.tiny import tiny


def test_a_run_of_an_own_source(photo, tmp_path):
    recipe = replace(tiny(photo), data=Stripes(period=4))
    train(recipe, tmp_path / "run")
    run = open_run(tmp_path / "run", types=[Stripes])
    assert run.recipe.data == Stripes(period=4) and run.step == resume(tmp_path / "run", types=[Stripes]).step == 4
    assert run.generate(progress=False).shape == (1, 3, 16, 16)
