"""What a user composes, or brings, can be trained, reopened, sampled from and resumed: in Python and by command line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from degrade import Compose, Curve, GaussianBlur, GaussianNoise, RectifiedFlow, Snow, Stage
from recipes import sindiffusion
from recipes.command import cli
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError
from restore.storage.specification import SpecificationError
from restore.training.session import resume, train
from samplers import DDPM, Improved, Resampled
from tests import own_types
from tests.own_types import Darken, Lazy, OneLayer
from tests.tiny import tiny

MAIN = cli.commands(sindiffusion.recipe, "sindiffusion.py", None, lambda: "photo.png")
STORM = Compose(
    (Stage(GaussianBlur(2.0)), Stage(Snow(level=2), Curve(start=0.5, power=2.0)), Stage(GaussianNoise(RectifiedFlow())))
)
FILE = Path(own_types.__file__)


def changed(recipe, case):
    """The tiny recipe with a type of the user's own, or with one that only Python offers."""
    match case:
        case "operator":
            return replace(recipe, degradation=Darken(0.8), prediction="residual", sampling=sampled(recipe, Improved()))
        case "sampler":
            return replace(recipe, sampling=sampled(recipe, Lazy(0.7)))
        case "network":
            return replace(recipe, network=OneLayer(side=5))
        case "compose":
            return replace(recipe, degradation=STORM, prediction="residual", sampling=sampled(recipe, Improved()))
    return replace(recipe, sampling=sampled(recipe, Resampled(DDPM("small"), 2)))


def sampled(recipe, sampler):
    return replace(recipe.sampling, sampler=sampler)


OWN = {"operator": [Darken], "sampler": [Lazy], "network": [OneLayer], "compose": [], "resampled": []}


@pytest.mark.parametrize("case", OWN)
def test_trained_opened_sampled_restored_resumed(case, photo, tmp_path):
    recipe = changed(tiny(photo), case)
    trained = train(recipe, tmp_path / "run")
    run = open_run(tmp_path / "run", types=OWN[case])
    assert run.recipe == trained.recipe and run.recipe.degradation == recipe.degradation
    assert torch.equal(run.generate((24, 32), seed=3), trained.generate((24, 32), seed=3))
    assert run.degrade_and_restore(run.read(), 0.5).restored.isfinite().all()
    if OWN[case]:
        with pytest.raises(CheckpointError, match=f"{OWN[case][0].__name__}.*open_run\\(folder, types"):
            open_run(tmp_path / "run")
    half = replace(recipe, training=replace(recipe.training, save_every=2))
    train(half, tmp_path / "again")
    (tmp_path / "again" / "checkpoints" / "step-00000004").rename(tmp_path / "dropped")
    resumed = resume(tmp_path / "again", types=OWN[case])
    assert resumed.step == 4
    assert torch.equal(resumed.generate((24, 32), seed=3), trained.generate((24, 32), seed=3))


def test_an_own_operator_by_command_line(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network = "--network.channels 8 --network.multipliers 1 2 --network.kernels 3 3 --data.crop 16 --data.size 32"
    training = "--training.steps 3 --training.save-every 2 --training.batch 2 --training.warmup 1 --sampling.steps 2"
    own = ["--types", str(FILE)]
    operator = ["degradation:darken", "--degradation.strength", "0.7"]
    MAIN(["train", str(photo), *own, *network.split(), *training.split(), "--out", "run", *operator])
    assert open_run("run", types=[Darken]).recipe.degradation == Darken(0.7)
    MAIN(["degrade-and-restore", "run", *own, "--severity", "0.5"])
    MAIN(["restore", "run", str(photo), *own, "--severities", "0.3", "0.6"])
    MAIN(["sample", "run", *own, "--count", "1"])
    Path("run/checkpoints/step-00000003").rename("dropped")
    MAIN(["resume", "run", *own])
    assert open_run("run", types=[Darken]).step == 3
    assert (Path("run") / "restored.png").exists() and len(list(Path("run/samples").glob("*.png"))) == 1
    with pytest.raises(CheckpointError, match="Darken.*--types"):
        MAIN(["sample", "run"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "is not a Python file"), ("x = 1\n", "defines no dataclass"), ("1/0\n", "cannot be imported: ZeroDivisionError")],
)
def test_a_file_of_types_that_cannot_be_had(content, reason, tmp_path):
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=reason):
        MAIN(["sample", str(tmp_path), "--types", str(file)])


@dataclass(frozen=True)
class Listed(Darken):
    """A field that comes back as another type."""

    numbers: list = field(default_factory=lambda: [1, 2], hash=False)  # type: ignore[type-arg]


@dataclass(frozen=True)
class Shifting(Darken):
    """A setting that changes when it is set again."""

    def __post_init__(self):
        object.__setattr__(self, "strength", self.strength / 2)


@dataclass(frozen=True)
class Called(Darken):
    """A function has no place in a file."""

    how: object = len


Namesake = dataclass(frozen=True)(type("GaussianBlur", (Darken,), {}))


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (Listed(), "could not be opened again: recipe.degradation.numbers"),
        (Shifting(), "degradation.strength does not come back"),
        (Called(), "degradation.how is a builtin_function"),
        (Namesake(), "could not be opened again: two types are called GaussianBlur"),
    ],
    ids=str,
)
def test_what_could_not_be_reopened_is_refused_before_the_first_step(operator, reason, photo, tmp_path):
    recipe = replace(tiny(photo), degradation=operator, prediction="residual")
    with pytest.raises(SpecificationError, match=reason):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
