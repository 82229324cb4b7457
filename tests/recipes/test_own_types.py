"""What a user composes, or brings, can be trained, reopened, sampled from and resumed: in Python and by command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch

from degrade import Compose, Curve, GaussianBlur, GaussianNoise, RectifiedFlow, Snow, Stage
from recipes import sindiffusion
from recipes.command import cli
from restore.own_types import types_in
from restore.recipe import ALLOWED, Recipe
from restore.run import open_run
from restore.storage.checkpoint import CheckpointError, open_checkpoint
from restore.storage.specification import SpecificationError
from restore.storage.specification import own_types as own_in
from restore.training.session import resume, train
from samplers import DDPM, Improved, Resampled
from tests import captions, own_types, shades
from tests.captions import Captioned, TextConfig
from tests.own_types import Bands, Darken, Lazy, OneLayer, Powers, Signed
from tests.shades import ShadedConfig, Shades
from tests.tiny import tiny

MAIN = cli.commands(sindiffusion.recipe, "sindiffusion.py", None, lambda: "photo.png")
STORM = Compose(
    (Stage(GaussianBlur(2.0)), Stage(Snow(level=2), Curve(start=0.5, power=2.0)), Stage(GaussianNoise(RectifiedFlow())))
)
NETWORK = "--network.channels 8 --network.multipliers 1 2 --network.kernels 3 3 --data.crop 16 --data.size 56"
CROPS = "--data.crop 16 --data.size 56"


class Case(NamedTuple):
    changes: dict[str, Any]
    """Of the tiny recipe; of its `sampling` under that name."""
    words: str = ""
    """The same on the command line."""
    file: ModuleType = own_types

    @property
    def types(self) -> tuple[type, ...]:
        return own_in((*self.changes.values(), *self.changes.get("sampling", {}).values()), ALLOWED)

    @property
    def anyone(self) -> str:
        """A pattern of their names."""
        return f"({'|'.join(cls.__name__ for cls in self.types)})"

    @property
    def named(self) -> list[str]:
        """How the command line names them."""
        return ["--types", str(self.file.__file__)] if self.types else []

    def of(self, recipe: Recipe) -> Recipe:
        changes = {**self.changes, "sampling": replace(recipe.sampling, **self.changes.get("sampling", {}))}
        return replace(recipe, training=replace(recipe.training, steps=3), **changes)


IMPROVED = {"prediction": "residual", "sampling": {"sampler": Improved()}}
CASES = {
    "operator": Case({"degradation": Darken(0.8), **IMPROVED}, f"{NETWORK} degradation:darken --degradation.strength 0.8"),
    "sampler": Case({"sampling": {"sampler": Lazy(0.7)}}, f"{NETWORK} sampling.sampler:lazy --sampling.sampler.share 0.7"),
    "network": Case({"network": OneLayer(side=5)}, f"{CROPS} network:one-layer --network.side 5"),
    "time grid": Case({"sampling": {"grid": Powers(3.0)}}, f"{NETWORK} sampling.grid:powers --sampling.grid.power 3"),
    "space": Case(
        {"space": Bands(0.6), "network": OneLayer(image_channels=12)},
        f"{CROPS} space:bands --space.gain 0.6 network:one-layer --network.image-channels 12",
    ),
    "coupling": Case({"coupling": Signed()}, f"{NETWORK} coupling:signed"),
    "tokens": Case(
        {"network": TextConfig(), "data": Captioned(12)}, "network:text-config data:captioned --data.size 12", captions
    ),
    "label": Case({"network": ShadedConfig(), "data": Shades()}, "network:shaded-config data:shades", shades),
    "picture": Case(
        {"network": ShadedConfig("image"), "data": Shades("image")},
        "network:shaded-config --network.part image data:shades --data.part image",
        shades,
    ),
    "compose": Case({"degradation": STORM, **IMPROVED}),
    "resampled": Case({"sampling": {"sampler": Resampled(DDPM("small"), 2)}}),
}
"""The user's own types, and what only Python can compose."""
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@cases
def test_trained_opened_sampled_restored_resumed(case, photo, tmp_path):
    recipe = case.of(tiny(photo))
    recipe = replace(recipe, training=replace(recipe.training, save_every=2))
    trained = train(recipe, tmp_path / "run")
    run = open_run(tmp_path / "run", types=case.types)
    assert run.recipe == trained.recipe and run.recipe.degradation == recipe.degradation
    assert torch.equal(run.generate((24, 32), seed=3), trained.generate((24, 32), seed=3))
    clean = run.read()
    restored = run.degrade_and_restore(clean, 0.5)
    assert restored.restored.shape == clean.shape and restored.restored.isfinite().all()
    if case.types:
        with pytest.raises(CheckpointError, match=f"'{case.anyone}'.*open_run\\(folder, types"):
            open_run(tmp_path / "run")
    (tmp_path / "run/checkpoints/step-00000003").rename(tmp_path / "dropped")
    resumed = resume(tmp_path / "run", types=case.types)
    assert resumed.step == 3
    assert torch.equal(resumed.generate((24, 32), seed=3), trained.generate((24, 32), seed=3))


@cases
def test_by_command_line(case, photo, tmp_path, monkeypatch, capsys):
    """What only Python can compose is trained there, and sampled, restored and resumed by command."""
    monkeypatch.chdir(tmp_path)
    training = "--training.steps 3 --training.save-every 2 --training.batch 2 --training.warmup 1 --sampling.steps 2"
    if case.words:
        MAIN(["train", str(photo), *case.named, "--out", "run", *training.split(), *case.words.split()])
        opened, expected = open_run("run", types=types_in(Path(case.named[1]))).recipe, case.of(tiny(photo))
        for name in case.changes.keys() - {"sampling"}:
            assert str(getattr(opened, name)) == str(getattr(expected, name))
        for name in case.changes.get("sampling", {}):
            assert str(getattr(opened.sampling, name)) == str(getattr(expected.sampling, name))
    else:
        recipe = case.of(tiny(photo))
        train(replace(recipe, training=replace(recipe.training, save_every=2)), "run")
    if case.changes.get("degradation") != STORM:  # whose flakes no picture tells
        MAIN(["restore", "run", str(photo), *case.named, "--severities", "0.6"])
    MAIN(["restore", "run", str(photo), *case.named, "--severities", "0.3", "--direct"])
    MAIN(["degrade-and-restore", "run", *case.named, "--severity", "0.5"])
    MAIN(["sample", "run", *case.named, "--count", "1"])
    Path("run/checkpoints/step-00000003").rename("dropped")
    MAIN(["resume", "run", *case.named])
    assert open_checkpoint(Path("run")).step == 3
    assert Path("run/restored.png").exists() and len(list(Path("run/samples").glob("*.png"))) == 1
    if case.types:
        with pytest.raises(CheckpointError, match=f"'{case.anyone}'.*--types"):
            MAIN(["sample", "run"])


def test_a_coupling_is_what_latents_are_drawn_by(photo):
    """Signed flips half of the noise, so that the losses of the same weights and times differ."""
    recipes = [tiny(photo), replace(tiny(photo), coupling=Signed())]
    losses = [recipe.trainer("cpu").loss(recipe.open("cpu")[0]).item() for recipe in recipes]
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


def test_a_type_is_offered_where_it_fits(capsys):
    """By its methods and their arguments: `draw` of an operator is not that of a coupling."""
    with pytest.raises(SystemExit):
        MAIN(["train", "--types", own_types.__file__, "--help"])
    offered = set(re.findall(r"([\w.]+:(?:darken|lazy|one-layer|powers|bands|signed))\b", capsys.readouterr().out))
    assert offered == {
        *("degradation:darken", "sampling.sampler:lazy", "network:one-layer"),
        *("sampling.grid:powers", "space:bands", "coupling:signed"),
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not a Python file"),
        ("x = 1\n", "defines no dataclass"),
        ("1/0\n", "cannot be imported: ZeroDivisionError"),
        ("import sys; sys.exit(0)\n", "cannot be imported: SystemExit: 0"),
    ],
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


@dataclass(frozen=True)
class CalledLazy(Lazy):
    """As `Called`, among the settings of sampling."""

    how: object = len


def test_nor_is_what_lies_deeper(photo, tmp_path):
    recipe = tiny(photo)
    recipe = replace(recipe, sampling=replace(recipe.sampling, sampler=CalledLazy()))
    with pytest.raises(SpecificationError, match="recipe.sampling.sampler.how is a builtin_function"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_condition_that_the_network_does_not_accept_is_refused_before_the_first_step(photo, tmp_path):
    with pytest.raises(ValueError, match="PatchUNet accepts no condition, got tokens: leave that out"):
        train(replace(tiny(photo), data=Captioned()), tmp_path / "run")
    with pytest.raises(ValueError, match="ShadedConfig takes no classes: choose UNetConfig, DiTConfig or a network"):
        train(replace(tiny(photo), data=Shades(), network=ShadedConfig("image")), tmp_path / "run")
    assert not list(tmp_path.glob("run/checkpoints/*"))


@dataclass(frozen=True)
class Careless:
    """Takes the state for an image."""

    def init(self, start):
        return start

    def step(self, restore, degradation, state, t, s, generator=None):
        return restore(state, t)


def test_a_sampler_that_does_not_work_is_refused_before_the_first_step(photo, tmp_path):
    recipe = tiny(photo)
    careless = replace(recipe, sampling=replace(recipe.sampling, sampler=Careless()))
    with pytest.raises(
        ValueError, match=r"\(GaussianPrior, GaussianNoise, Uniform, Careless\) do not go together: .*has no attribute"
    ):
        train(careless, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.safetensors"))
